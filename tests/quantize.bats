# xent quantize on arrays, and on a small trained run that eval then takes as any other.

load arrays

setup_file() {
    export RUN="$BATS_FILE_TMPDIR/run"
    "$XENT" train '{"data": {"type": "glyphs", "count": 400, "val_count": 50, "test_count": 200}, "seed": 1,
        "model": {"type": "cnn", "channels": [4, 8], "hidden": [16]}, "optimizer": {"type": "adam", "lr": 0.005}, "train": {"epochs": 4, "batch_size": 10}}' -o "$RUN" --quiet > "$BATS_FILE_TMPDIR/log"
}

setup() {
    cd "$BATS_TEST_TMPDIR"
    # W = [[7, 0.5, -2.5], [0, 0, 0]], X = [[1, 1, 1], [1, -2, 4]]
    npy w.npy '<f4' '2, 3' '\x00\x00\xe0\x40\x00\x00\x00\x3f\x00\x00\x20\xc0\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00'
    npy x.npy '<f4' '2, 3' '\x00\x00\x80\x3f\x00\x00\x80\x3f\x00\x00\x80\x3f\x00\x00\x80\x3f\x00\x00\x00\xc0\x00\x00\x80\x40'
}

# the number after "KEY": in $output
number() { printf '%s' "$output" | sed "s/.*\"$1\":\([-0-9.e]*\).*/\1/"; }

@test "quantize prints what it did to arrays" {
    # 4 bits, scale 1: [7, 0, -2]; errors 0.5 and -0.5; outputs differ by 0 and by -1 - 2 = -3 in one of four
    run "$XENT" quantize --weights w.npy --activations x.npy '{"quantize": {"type": "rtn", "bits": 4}}' --json
    [ "$status" -eq 0 ]
    [ "$output" = '{"method":"rtn","bits":4,"bytes":12,"bits_per_weight":16,"weight_mse":0.0833333333,"output_mse":2.25,"parameters":{}}' ]
    [ "$output" = "$("$XENT" quantize --weights=w.npy --activations x.npy '{"type": "rtn", "bits": 4}' --json --threads 4)" ]
    [ "$(ls)" = $'w.npy\nx.npy' ]
}

@test "quantize without activations says nothing of outputs" {
    run "$XENT" quantize --weights w.npy '{"type": "rtn"}' --set quantize.granularity=tensor --json
    [ "$status" -eq 0 ]
    [[ "$output" == '{"method":"rtn","bits":8,"bytes":10,"bits_per_weight":13.3333333,"weight_mse":'*',"parameters":{}}' ]]
}

@test "quantize writes dequantized arrays, and a report" {
    "$XENT" quantize --weights w.npy --activations x.npy '{"type": "rtn", "bits": 4, "activations": {"type": "per_tensor", "bits": 2}}' \
        --dequantized wq.npy --dequantized-activations xq.npy -o d/e --json > out
    # [7, 0, -2] and [[0, 0, 0], [0, -0, 4]]
    [ "$(tail -c 24 wq.npy | od -An -tf4 -w24 | tr -s ' ')" = " 7 0 -2 0 0 0" ]
    [ "$(tail -c 24 xq.npy | od -An -tf4 -w24 | tr -s ' ')" = " 0 0 0 0 0 4" ] || [ "$(tail -c 24 xq.npy | od -An -tf4 -w24 | tr -s ' ')" = " 0 0 0 0 -0 4" ]
    grep -q '"kernel":0.833333333,"kernel_nonzero":0.833333333' out
    grep -q '"kernel"' d/e/quantization.json
    run "$XENT" quantize --weights w.npy '{"type": "rtn"}' -o d/e
    [ "$status" -eq 2 ]
    [ "$output" = "xent: d/e/quantization.json: exists; --force replaces it" ]
    "$XENT" quantize --weights w.npy '{"type": "rtn"}' -o d/e --force
}

@test "what is wrong with arrays is named, and nothing is left" {
    npy nan.npy '<f4' '1, 3' '\x00\x00\xc0\x7f\x00\x00\x00\x00\x00\x00\x00\x00'
    npy wide.npy '<f4' '1, 2' '\x00\x00\x00\x00\x00\x00\x00\x00'
    npy codes.npy '|u1' '1, 3' '\x00\x01\x02'
    before=$(ls)
    check() { # STATUS PATTERN WORDS...
        local expected=$1 pattern=$2; shift 2
        run "$XENT" quantize "$@" --dequantized out.npy
        [ "$status" -eq "$expected" ] && [ "${#lines[@]}" -eq 1 ] && [[ "$output" == $pattern ]] && [ "$(ls)" = "$before" ] || { echo "$* -> $status $output"; false; }
    }
    check 1 'xent: nan.npy: row 0 is not finite' --weights nan.npy '{"type": "rtn"}'
    check 1 'xent: none.npy: *' --weights none.npy '{"type": "rtn"}'
    check 2 'xent: --weights: codes.npy: expected a matrix of f4' --weights codes.npy '{"type": "rtn"}'
    check 2 'xent: --activations: wide.npy: *' --weights w.npy --activations wide.npy '{"type": "rtn"}'
    check 2 'xent: --activations FILE is missing*' --weights w.npy '{"type": "rtn", "activations": "per_token"}'
    check 2 'xent: *group_size: 4 is more than the 3 inputs*' --weights w.npy '{"type": "rtn", "granularity": "group", "group_size": 4}'
    check 2 'xent: config:1: quantize.bits: *' --weights w.npy '{"type": "rtn", "bits": 9}'
    check 2 'xent: config:1: missing key "quantize"' --weights w.npy '{"seed": 1}'
    check 2 'xent: config: quantize: per_token quantizes activations; *' --weights w.npy '{"quantize": "per_token"}'
    check 2 'xent: --dequantized: needs --weights FILE*' run '{"type": "rtn"}'
    run "$XENT" quantize --weights w.npy '{"type": "rtn"}' --dequantized w.npy
    [ "$status" -eq 2 ]
    run "$XENT" quantize '{"type": "rtn"}'
    [ "$status" -eq 2 ]
}

@test "a quantized run is a run: eval gives what quantize measured, at a quarter of the bytes" {
    run "$XENT" quantize "$RUN" '{"quantize": "rtn"}' -o int8 --json
    [ "$status" -eq 0 ]
    [[ "$output" == '{"method":"rtn","bits":8,"activation_bits":8,"layers":4,"layers_skipped":0,'* ]]
    after=$(printf '%s' "$output" | sed 's/.*"after":.*"test":{"loss":\([^,]*\),"accuracy":\([^,]*\),.*/\1 \2/; s/}.*//')
    printf '%s' "$output" | grep -q '"ratio":0.2[5-9]'
    [ "$(ls int8)" = $'checkpoints\nconfig.json\nquantization.json\nsummary.json' ]
    [ "$(ls int8/checkpoints)" = $'best.safetensors\nlast.safetensors' ]
    for what in int8 int8/checkpoints/last.safetensors; do
        run "$XENT" eval "$what" --json --resamples 0
        [ "$status" -eq 0 ]
        [ "$(number loss) $(number accuracy)" = "$after" ] || { echo "$after"; echo "$output"; false; }
    done
    accuracy=$("$XENT" eval "$RUN" --json --resamples 0 | sed 's/.*"accuracy":\([^,]*\),.*/\1/')
    awk -v a="$accuracy" -v b="${after#* }" 'BEGIN { exit !(a > 0.5 && a - b < 0.03 && b - a < 0.03) }'
}

@test "fewer bits are packed, and weights can be quantized alone" {
    for method in '{"type": "rtn", "bits": 4, "granularity": "group", "group_size": 8, "symmetric": false}' '{"type": "rtn", "bits": 3, "activations": "none"}' \
        '{"type": "rtn", "bits": 6, "granularity": "tensor", "activations": {"type": "per_token", "bits": 6, "symmetric": false}, "skip": ["first", "hidden.*"]}'; do
        run "$XENT" quantize "$RUN" "$method" -o q --force --json
        [ "$status" -eq 0 ] || { echo "$output"; false; }
        after=$(printf '%s' "$output" | sed 's/.*"after":.*"test":{"loss":\([^,]*\),.*/\1/')
        run "$XENT" eval q --json --resamples 0
        [ "$(number loss)" = "$after" ]
    done
    [[ "$("$XENT" quantize "$RUN" '{"type": "rtn", "skip": ["first", "hidden.*"]}' --json)" == *'"layers":2,"layers_skipped":2,'* ]]
}

@test "a run is not replaced unless --force is given, and never by itself" {
    "$XENT" quantize "$RUN" '{"quantize": "rtn"}' -o a > log
    run "$XENT" quantize "$RUN" '{"quantize": {"type": "rtn", "bits": 4}}' -o a
    [ "$status" -eq 2 ]
    [ "$output" = "xent: a holds a run already; give --force to replace it, or another folder" ]
    run "$XENT" quantize "$RUN" '{"quantize": "rtn"}' -o "$RUN" --force
    [ "$status" -eq 2 ]
    run "$XENT" quantize a '{"quantize": "rtn"}' -o b
    [ "$status" -eq 2 ]
    [[ "$output" == *"is quantized already"* ]]
    [ ! -e b ]
}

@test "--force does not remove what is read, and a failure leaves no folder" {
    cp -r "$RUN" copy
    echo '{"quantize": "rtn"}' > copy/summary.json
    for words in 'copy/checkpoints/best.safetensors {"type":"rtn"}' "$RUN copy/summary.json"; do
        set -- $words
        run "$XENT" quantize "$1" "$2" -o copy --force
        [ "$status" -eq 2 ]
        [[ "$output" == *"which is read" || "$output" == "xent: -o: copy is the run itself" ]]
        cmp "$RUN/checkpoints/best.safetensors" copy/checkpoints/best.safetensors
    done
    run bash -c 'ulimit -f 1; "$0" quantize "$1" "{\"type\": \"rtn\"}" -o full' "$XENT" "$RUN"
    [ "$status" -eq 1 ]
    [[ "$output" == "xent: full/"* ]]
    [ ! -e full ]
    mkdir other
    echo mine > other/summary.json
    run "$XENT" quantize "$RUN" '{"type": "rtn"}' -o other
    [ "$status" -eq 2 ]
    [ "$output" = "xent: other/summary.json: exists; --force replaces it" ]
    [ "$(cat other/summary.json)" = mine ]
}

@test "what a run cannot have is refused before anything is written" {
    for method in '{"type": "rtn", "skip": ["nothing"]}' '{"type": "rtn", "activations": "per_tensor"}' '{"type": "none"}' '{"type": "rtn", "skip": ["*"]}' \
        '{"type": "rtn", "bias_correction": true}' '{"type": "rtn", "granularity": "group", "group_size": 100000}'; do
        run "$XENT" quantize "$RUN" "$method" -o b
        [ "$status" -eq 2 ] && [ "${#lines[@]}" -eq 1 ] || { echo "$method: $output"; false; }
        [ ! -e b ]
    done
    run "$XENT" quantize nowhere '{"type": "rtn"}' -o b
    [ "$status" -eq 1 ]
    run "$XENT" quantize "$RUN" '{"quantize": "rtn", "data": {"type": "glyphs", "count": 60, "classes": 3}}' -o b
    [ "$status" -ne 0 ]
    [ ! -e b ]
}

@test "a damaged quantized checkpoint is refused, and named" {
    "$XENT" quantize "$RUN" '{"quantize": "rtn"}' -o a > log
    sed 's/\\"bits\\":8,\\"group_size/\\"bits\\":9,\\"group_size/' a/checkpoints/best.safetensors > bad.safetensors
    run "$XENT" eval bad.safetensors
    [ "$status" -eq 1 ]
    [[ "$output" == "xent: bad.safetensors: "*bits* ]]
    sed 's/head.weight.scale/head.weight.stale/' a/checkpoints/best.safetensors > bad.safetensors
    run "$XENT" eval bad.safetensors
    [ "$status" -eq 1 ]
    [[ "$output" == "xent: bad.safetensors: "*head.weight.scale* ]]
}
