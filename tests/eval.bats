# xent eval on arrays.

# npy FILE DESCR SHAPE DATA(printf escapes)
npy() {
    local header="{'descr': '$2', 'fortran_order': False, 'shape': ($3,), }"
    { printf '\223NUMPY\001\000'; printf "\\x$(printf %02x ${#header})\\x00"; printf '%s' "$header"; printf "$4"; } > "$1"
}

setup() {
    cd "$BATS_TEST_TMPDIR"
    # [[1, 0], [0, 1]] in f4
    npy z.npy '<f4' '2, 2' '\x00\x00\x80\x3f\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x3f'
    npy y.npy '|u1' 2 '\x00\x00'
}

@test "eval prints the metrics of arrays" {
    run "$XENT" eval --logits z.npy --targets y.npy --json
    [ "$status" -eq 0 ]
    [[ "$output" == *'"n":2,'*'"accuracy":0.5,'*'"nll":0.813261688'* ]]
}

@test "eval does not depend on the number of threads" {
    [ "$("$XENT" eval --logits z.npy --targets y.npy --threads 1)" = "$("$XENT" eval --logits z.npy --targets y.npy --threads 4)" ]
}

@test "eval names what is wrong with a file" {
    npy far.npy '|u1' 2 '\x00\x02'
    npy many.npy '|u1' 3 '\x00\x00\x00'
    npy nan.npy '<f4' '1, 2' '\x00\x00\xc0\x7f\x00\x00\x00\x00'
    mkfifo fifo
    for words in "z.npy far.npy" "z.npy many.npy" "z.npy z.npy" "y.npy y.npy" "nan.npy y.npy" "none y.npy" "fifo y.npy" "z.npy ."; do
        set -- $words
        run "$XENT" eval --logits "$1" --targets "$2"
        [ "$status" -eq 1 ] || { echo "$words: exit $status"; false; }
        [ "${#lines[@]}" -eq 1 ] && [[ "$output" == "xent: $1"* || "$output" == "xent: $2"* ]] || { echo "$output"; false; }
    done
    for words in "" "--logits z.npy" "--logits z.npy --targets y.npy --seed -1" "--logits z.npy --targets y.npy --seed 9223372036854775808"; do
        run "$XENT" eval $words
        [ "$status" -eq 2 ]
    done
}
