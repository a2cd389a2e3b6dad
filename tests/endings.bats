# How the program ends: signals, broken pipes, descriptors that are closed or full, and what --quiet leaves to be said.

data='"data": {"type": "spirals", "count": 40, "val_count": 20, "test_count": 20}'
model='"model": {"type": "mlp", "hidden": [4]}'
config="{$data, $model, \"train\": {\"batch_size\": 8, \"epochs\": 1}}"
endless="{$data, $model, \"train\": {\"batch_size\": 8, \"epochs\": 1000000000, \"log_every\": 1000000, \"save_every\": 1000}}"

setup_file() {
    cd "$BATS_FILE_TMPDIR"
    "$XENT" train "$config" --quiet -o run --set train.epochs=20 --set optimizer.lr=0.05 --set data.val_count=100
}

setup() {
    cd "$BATS_TEST_TMPDIR"
    run=$BATS_FILE_TMPDIR/run
}

# Starts an endless run in folder a and waits until it has saved once.
start_endless() {
    "$XENT" train "$endless" -o a "$@" > out 2> err &
    pid=$!
    while [ ! -e a/checkpoints/last.safetensors ]; do
        kill -0 $pid
        sleep 0.01
    done
}

@test "SIGINT and SIGTERM save, say nothing more and end with 128 + N" {
    for signal in 2 15; do
        rm -rf a
        start_endless --quiet
        status=0
        kill -$signal $pid
        wait $pid || status=$?
        [ "$status" -eq $((128 + signal)) ]
        [ ! -s err ] && [ ! -s out ]
        [ -z "$(find a -name '*.tmp')" ]
        "$XENT" eval a --quiet --resamples 0 > out
    done
}

@test "a second signal may end it at once, and what is saved is whole" {
    for ((round = 0; round < 5; round++)); do
        rm -rf a
        start_endless --quiet
        status=0
        kill -2 $pid
        kill -15 $pid 2> /dev/null || true
        wait $pid || status=$?
        [ "$status" -eq 130 ] || [ "$status" -eq 143 ]
        [ "$(wc -l < err)" -eq 0 ]
        "$XENT" eval a --quiet --resamples 0 > out
        "$XENT" train "$endless" -o a --resume --quiet --set train.epochs=1
        [ -z "$(find a -name '*.tmp')" ]
    done
}

# name, then the command: each ends well without a word on standard error.
@test "--quiet leaves nothing on standard error when all went well" {
    echo '{"calibrate": "temperature"}' > calibrate.json
    while IFS= read -r words; do
        eval "set -- $words"
        "$XENT" "$@" --quiet > out 2> err
        [ ! -s err ] || { echo "$words: $(cat err)"; false; }
    done <<'END'
train "$config" -o a
train "$config" -o a --resume
train "$config" -o a --force
train "$config" --dry-run
eval $run
eval $run --json -o b
calibrate $run calibrate.json -o c
eval c
distill "{$data, $model, \"distill\": {\"type\": \"kd\", \"teacher\": \"$run\"}, \"train\": {\"epochs\": 1}}" -o d
list
version
help train
END
}

@test "--quiet leaves one line when something went wrong" {
    while IFS= read -r words; do
        eval "set -- $words"
        status=0
        "$XENT" "$@" --quiet > out 2> err || status=$?
        [ "$status" -ne 0 ]
        [ "$(wc -l < err)" -eq 1 ] && [ ! -s out ] || { echo "$words: $(cat err)"; false; }
    done <<'END'
train "$config" -o $run
eval nowhere
calibrate $run "{}"
distill "$config"
list nothing
version 1
help nothing
END
}

@test "standard output that is full or closed is exit 1 with one line" {
    [ -e /dev/full ] || skip "no /dev/full"
    while IFS= read -r words; do
        eval "set -- $words"
        for redirection in '> /dev/full' '>&-'; do
            status=0
            eval '"$XENT" "$@" --quiet '"$redirection"' 2> err' || status=$?
            [ "$status" -eq 1 ] && [ "$(wc -l < err)" -eq 1 ] && grep -q '^xent: standard output: ' err ||
                { echo "$words $redirection: exit $status: $(cat err)"; false; }
        done
    done <<'END'
eval $run
eval $run --json
train "$config" --dry-run
train "$config" --json -o a --force
calibrate $run '{"calibrate": "temperature"}'
quantize $run '{"quantize": "rtn"}'
distill "{$data, $model, \"distill\": {\"type\": \"kd\", \"teacher\": \"$run\"}}" --dry-run
predict $run
check "$config"
list
version
help
END
}

@test "descriptors that are closed at the start are not reused for files" {
    "$XENT" train "$config" --quiet -o whole
    for closed in '<&-' '>&-' '2>&-' '<&- >&- 2>&-' '>&- 2>&-'; do
        rm -rf a
        status=0
        eval '"$XENT" train "$config" -o a '"$closed" > /dev/null 2>&1 || status=$?
        for file in checkpoints/last.safetensors checkpoints/best.safetensors config.json metrics.jsonl; do
            cmp a/$file whole/$file
        done
    done
}

@test "a broken pipe ends quietly" {
    mkfifo pipe
    for words in list 'eval $run --json' 'train "$config" --dry-run'; do
        eval "set -- $words"
        { true < pipe; } &
        status=0
        "$XENT" "$@" 2> err > pipe || status=$?
        [ "$status" -eq 0 ] || [ "$status" -eq 141 ] # the reader may come to its end later
        [ ! -s err ] || { cat err; false; }
        wait
    done
    # A parent that ignores SIGPIPE gets exit 1 and one line.
    status=0
    (trap '' PIPE; exec 3> >(exec true); sleep 0.2; "$XENT" list >&3 2> err) || status=$?
    [ "$status" -eq 1 ] && [ "$(cat err)" = "xent: standard output: Broken pipe" ] || [ "$status" -eq 0 ]
}

@test "a result takes no name from a FIFO, a device or a standard stream, and replaces a link" {
    mkfifo fifo.csv
    names=fifo.csv
    ! mknod device.csv c 1 3 2> /dev/null || names="$names device.csv"
    for name in $names; do
        run bash -c '"$XENT" predict "$0" -o "$1" 2>&1 > /dev/null' "$run" "$name"
        [ "$status" -eq 1 ]
        [ "$output" = "xent: $name: not a regular file, and results replace what they are written to" ]
        [ ! -f "$name" ]
    done
    status=0
    "$XENT" predict "$run" -o out.csv > out.csv 2> err || status=$?
    [ "$status" -eq 1 ]
    [ "$(cat err)" = "xent: out.csv: this command's standard output" ]
    echo kept > kept
    ln -s kept link.csv
    ln -s nothing nowhere.csv
    for name in link nowhere; do
        "$XENT" predict "$run" -o $name.csv --quiet
        [ ! -L $name.csv ]
        [ -s $name.csv ]
    done
    [ "$(cat kept)" = kept ]
    [ -z "$(find . -name '*.tmp')" ]
}
