# Inputs that are refused before they cost much: large ones are sparse files, or lines that gzip makes small.

load arrays

memory=2600000 # KiB of addresses

setup() {
    cd "$BATS_TEST_TMPDIR"
    (ulimit -v $memory && "$XENT" version > /dev/null 2>&1) || skip "a sanitizer takes more addresses"
}


# refused WORDS COMMAND...: exit 1 with one line that holds the words, in that much memory and 10 s of the processor.
refused() {
    local words=$1 status=0
    shift
    (ulimit -v $memory -t 10; "$XENT" "$@" --threads 1) > out 2> err || status=$?
    [ "$status" -eq 1 ]
    [ "$(wc -l < err)" -eq 1 ]
    [[ "$(< err)" == "xent: "*"$words"* ]]
    [ ! -s out ]
}

# sparse FILE DESCR SHAPE BYTES: an NPY file of zeros that takes no room on the disk.
sparse() {
    npy "$1" "$2" "$3" ''
    truncate -s $(($(stat -c %s "$1") + $4)) "$1"
}

@test "a JSONL file of many values is refused before they are parsed" {
    local words='commas, colons and brackets, at most 8388608 are read'
    local config='{"data": {"type": "jsonl", "path": "a.jsonl", "features": "x"}, "model": "mlp"}'
    { printf '{"x": ['; head -c 8400000 /dev/zero | tr '\0' ,; printf ']}\n'; } | gzip -1 > a.jsonl
    refused "a.jsonl: 8400002 $words" train "$config" -o run --quiet
    [ ! -e run ]
}

@test "arrays that take too much memory together are refused" {
    local words='takes more than 1900000000 bytes of memory'
    sparse x.npy '<f8' '125000000, 1' 1000000000
    sparse y.npy '|i1' '125000000' 125000000
    refused "x.npy: reading it, with what was read before, $words" \
        train '{"data": {"type": "npy", "x": "x.npy", "y": "y.npy"}, "model": "mlp"}' -o run --quiet
    [ ! -e run ]
    refused "x.npy: reading it, with what was read before, $words" eval --logits x.npy --targets y.npy
}

@test "a checkpoint that does not fit is refused by its header alone" {
    local header='{"a": {"dtype": "F32", "shape": [500000000], "data_offsets": [0, 2000000000]}}  '
    { printf "\\x$(printf %02x ${#header})\\0\\0\\0\\0\\0\\0\\0"; printf '%s' "$header"; } > a.safetensors
    truncate -s $((8 + ${#header} + 2000000000)) a.safetensors
    memory=500000
    refused 'a.safetensors: no config in __metadata__' eval a.safetensors
    refused 'a.safetensors: no config in __metadata__' predict a.safetensors x.npy
    local data='"data": {"type": "spirals", "count": 40}' model='"model": {"type": "mlp", "hidden": [4]}'
    "$XENT" train "{$data, $model, \"train\": {\"epochs\": 1}}" -o run --quiet
    truncate -s 1000000000 run/checkpoints/last.safetensors
    refused 'bytes of data belong to no tensor' eval run/checkpoints/last.safetensors
}

@test "a model that is too large is refused before it takes memory" {
    local config='{"data": {"type": "spirals", "count": 40}, "model": {"type": "mlp", "hidden": [10000000, 10000000]}}'
    memory=500000
    for command in train check; do
        run bash -c "ulimit -v $memory -t 10; \"$XENT\" $command '$config' --quiet"
        [ "$status" -eq 2 ]
        [ "$output" = "xent: config: model.layers.1: with weight [10000000, 10000000] the model has more than 500000000 parameters" ]
    done
    [ -z "$(ls)" ]
}

@test "the state of another run is refused by its header alone" {
    local data='"data": {"type": "spirals", "count": 40}' model='"model": {"type": "mlp", "hidden": [4]}'
    "$XENT" train "{$data, $model, \"train\": {\"epochs\": 1}}" -o run --quiet
    local header='{"a": {"dtype": "F32", "shape": [250000000], "data_offsets": [0, 1000000000]}}  '
    { printf "\\x$(printf %02x ${#header})\\0\\0\\0\\0\\0\\0\\0"; printf '%s' "$header"; } > run/checkpoints/last.state.safetensors
    truncate -s $((8 + ${#header} + 1000000000)) run/checkpoints/last.state.safetensors
    memory=500000
    refused 'last.state.safetensors: tensor progress is missing' train "{$data, $model, \"train\": {\"epochs\": 2}}" \
        -o run --resume --quiet
}

@test "text of too many different words is refused before merges are learned" {
    head -c 38000000 /dev/zero | tr '\0' a | gzip -1 > a.txt
    local model='"model": {"type": "transformer", "layers": 1, "width": 8, "heads": 1}'
    for tokenizer in bpe wordpiece; do
        refused 'a.txt: the different words have more than 33554432 bytes' \
            check "{\"data\": {\"type\": \"text\", \"path\": \"a.txt\", \"tokenizer\": \"$tokenizer\"}, $model}" --quiet
    done
}
