# xent eval on arrays.

load arrays

setup() {
    cd "$BATS_TEST_TMPDIR"
    # [[1, 0], [0, 1]] in f4
    npy z.npy '<f4' '2, 2' '\x00\x00\x80\x3f\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x3f'
    npy y.npy '|u1' 2 '\x00\x00'
}

@test "eval prints the metrics of arrays" {
    run "$XENT" eval --logits z.npy --targets y.npy --json --quiet
    [ "$status" -eq 0 ]
    [[ "$output" == '{"split":null,"n":2,'*'"accuracy":0.5,'*'"nll":0.813261688,'*'"ci":{'* ]]
}

@test "eval says on standard error which metric is undefined" {
    run bash -c '"$XENT" eval --logits z.npy --targets y.npy --json 2>&1 >out'
    [ "$output" = "xent: auroc: undefined for these arrays" ]
    grep -q '"auroc":null' out
}

@test "eval does not depend on the number of threads" {
    [ "$("$XENT" eval --logits z.npy --targets y.npy --threads 1)" = "$("$XENT" eval --logits z.npy --targets y.npy --threads 4)" ]
}

@test "eval takes the number of resamples; none means no intervals" {
    run "$XENT" eval --logits z.npy --targets y.npy --resamples 0 --quiet --json
    [ "$status" -eq 0 ]
    [[ "$output" == *'"ci":{}}' ]]
    [ "$("$XENT" eval --logits z.npy --targets y.npy --resamples 9)" != "$("$XENT" eval --logits z.npy --targets y.npy --resamples 10)" ]
}

@test "eval weighs samples" {
    npy w.npy '|u1' 2 '\x03\x01'
    run "$XENT" eval --logits z.npy --targets y.npy --weights w.npy --json --quiet
    [ "$status" -eq 0 ]
    [[ "$output" == *'"accuracy":0.75,'* ]]
}

@test "eval takes probabilities, labels, values and tokens" {
    npy soft.npy '<f4' '2, 2' '\x00\x00\x80\x3e\x00\x00\x40\x3f\x00\x00\x00\x00\x00\x00\x80\x3f' # 1/4 3/4, 0 1
    run "$XENT" eval --logits z.npy --targets soft.npy --json --quiet
    [[ "$output" == *'"accuracy":0.5,'*'"nll":0.688261688,'* ]]
    npy labels.npy '|u1' '2, 2' '\x01\x01\x00\x01'
    run "$XENT" eval --logits z.npy --targets labels.npy --json --quiet
    [[ "$output" == *'"accuracy":0.75,'*'"f1_micro":0.8,'* ]]
    npy column.npy '<f4' 2 '\x00\x00\x80\x3f\x00\x00\x00\x40' # 1, 2
    npy value.npy '<f4' 2 '\x00\x00\x80\x3f\x00\x00\x40\x40'  # 1, 3
    run "$XENT" eval --logits column.npy --targets value.npy --json --quiet
    [[ "$output" == *'"metrics":{"mae":0.5,"r2":0.5,"rmse":0.707106781}'* ]]
    npy values.npy '<f4' '2, 2' '\x00\x00\x80\x3f\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x3f'
    run "$XENT" eval --logits z.npy --targets values.npy --kind regression --json --quiet
    [[ "$output" == *'"rmse":0}'* ]]
    npy words.npy '<f4' '1, 2, 2' '\x00\x00\x80\x3f\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x3f'
    npy ids.npy '|u1' '1, 2' '\x00\x00'
    run "$XENT" eval --logits words.npy --targets ids.npy --bytes-per-token 2 --json --quiet
    [[ "$output" == *'"bits_per_byte":0.586644'*'"perplexity":2.2552'* ]]
}

@test "a logit of -infinity is an impossible class" {
    npy mask.npy '<f4' '2, 2' '\x00\x00\x80\x3f\x00\x00\x80\xff\x00\x00\x80\xff\x00\x00\x80\x3f'
    run "$XENT" eval --logits mask.npy --targets y.npy --resamples 0 --json
    [ "$status" -eq 0 ]
    [[ "$output" == *"xent: nll: infinite for these arrays"*'"accuracy":0.5,'*'"nll":null,'* ]]
}

@test "eval names what is wrong with a file" {
    npy far.npy '|u1' 2 '\x00\x02'
    npy many.npy '|u1' 3 '\x00\x00\x00'
    npy nan.npy '<f4' '1, 2' '\x00\x00\xc0\x7f\x00\x00\x00\x00'
    npy inf.npy '<f4' '2, 2' '\x00\x00\x80\x3f\x00\x00\x80\x7f\x00\x00\x00\x00\x00\x00\x80\x3f'
    npy none.npy '<f4' '2, 2' '\x00\x00\x80\x3f\x00\x00\x00\x00\x00\x00\x80\xff\x00\x00\x80\xff'
    npy half.npy '<f4' '2, 2' '\x00\x00\x00\x3f\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x3f'
    mkfifo fifo
    for words in "z.npy far.npy" "z.npy many.npy" "z.npy z3.npy" "y.npy y.npy" "nan.npy y.npy" "inf.npy y.npy" "none.npy y.npy" \
        "z.npy half.npy" "absent y.npy" "fifo y.npy" "z.npy ." "z.npy nan.npy"; do
        set -- $words
        run "$XENT" eval --logits "$1" --targets "$2"
        [ "$status" -eq 1 ] || { echo "$words: exit $status"; false; }
        [ "${#lines[@]}" -eq 1 ] && [[ "$output" == "xent: $1"* || "$output" == "xent: $2"* ]] || { echo "$output"; false; }
    done
    [[ "$("$XENT" eval --logits none.npy --targets y.npy 2>&1)" == "xent: none.npy: row 1 is not finite" ]]
    npy minus.npy '<f4' 2 '\x00\x00\x80\xbf\x00\x00\x00\x40'
    npy zero.npy '|u1' 2 '\x00\x00'
    for weights in minus.npy zero.npy many.npy z.npy; do
        run "$XENT" eval --logits z.npy --targets y.npy --weights $weights
        [ "$status" -eq 1 ] && [[ "$output" == "xent: $weights: "* ]] || { echo "$weights: $output"; false; }
    done
}

@test "eval refuses wrong command lines" {
    while IFS= read -r words; do
        run "$XENT" eval $words
        [ "$status" -eq 2 ] || { echo "$words: exit $status"; false; }
        [ "${#lines[@]}" -eq 1 ] || { echo "$words: $output"; false; }
    done <<'END'

--logits z.npy
--targets y.npy
--logits z.npy --targets y.npy --seed -1
--logits z.npy --targets y.npy --seed 9223372036854775808
--logits z.npy --targets y.npy --resamples 1e3
--logits z.npy --targets y.npy --bytes-per-token 0
--logits z.npy --targets y.npy --kind class
--logits z.npy --targets y.npy -o out
--logits z.npy --targets y.npy a b
END
}

@test "a model whose outputs are not finite is an error with the row, in every command that runs it" {
    "$XENT" train '{"data": {"type": "spirals", "count": 40, "val_count": 10, "test_count": 12}, "model": {"type": "mlp", "hidden": [4]}, "train": {"epochs": 1}}' -o diverged --quiet
    for file in best last; do # the last weight of the file becomes NaN
        size=$(wc -c < diverged/checkpoints/$file.safetensors)
        printf '\377\377\377\177' | dd of=diverged/checkpoints/$file.safetensors bs=1 seek=$((size - 4)) conv=notrunc 2> /dev/null
    done
    for command in "eval diverged" "predict diverged" "calibrate diverged {\"calibrate\":\"temperature\"} -o calibrated"; do
        run "$XENT" $command --quiet
        [ "$status" -eq 1 ]
        [ "${#lines[@]}" -eq 1 ]
        [[ "$output" == "xent: "*"for row 0"*" not finite"* ]]
    done
    [ ! -e calibrated ]
}
