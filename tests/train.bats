# xent train: what is in a run's folder, and that it is whole and the same whatever interrupts it.

# A run of 13 batches an epoch, a fraction of a second long; what follows the folder goes to the command line.
tiny='{"data": {"type": "spirals", "count": 100, "val_count": 40, "test_count": 40},
       "model": {"type": "mlp", "hidden": [8]}, "loss": "ce", "train": {"batch_size": 8, "epochs": 2, "save_every": 5}}'

setup() {
    cd "$BATS_TEST_TMPDIR"
}

train() {
    "$XENT" train "$tiny" --quiet -o "$@"
}

# Killed after some hundredths of a second, and gone when this returns.
killed_train() {
    "$XENT" train "$tiny" --quiet -o "$@" & local run=$!
    sleep "0.0$((RANDOM % 9 + 1))"
    kill -9 $run 2> kill.log || true
    wait $run 2> kill.log || true
}

# Both checkpoints, the training state and the log have the same bytes.
same_run() {
    for file in checkpoints/{last,best,last.state}.safetensors config.json metrics.jsonl; do
        cmp "$1/$file" "$2/$file"
    done
}

# fails STATUS PATTERN WORDS...: one line on standard error that matches, nothing on standard output.
fails() {
    local expected=$1 pattern=$2
    shift 2
    run "$@"
    [ "$status" -eq "$expected" ] && [ "${#lines[@]}" -eq 1 ] && [[ "$output" == "xent: "$pattern ]] ||
        { echo "exit $status: $output"; false; }
}

# A safetensors file that can be read to its end; a state's tensors have names of their own, which is another error.
is_whole() {
    run train none --dry-run --set train.init_from="$1"
    [ "$status" -eq 0 ] || [[ "$1 $output" == *last.state.safetensors*"no tensor has the name and shape"* ]] ||
        { echo "$output"; false; }
}

no_leftovers() {
    [ -z "$(find "$1" -name '*.tmp' -o -name '.*' -mindepth 1)" ]
}

@test "train writes its files, and no others" {
    train a
    files=$(echo a/checkpoints/{best,last,last.state}.safetensors a/{config.json,evaluation.json,metrics.jsonl,summary.json})
    [ "$(find a -type f ! -name '*.html' ! -name '*.png' | LC_ALL=C sort | tr '\n' ' ')" = "$files " ]
    [ "$(grep -c '"split":"train"' a/metrics.jsonl)" -eq 26 ]
    [ "$(grep -c '"split":"val"' a/metrics.jsonl)" -eq 2 ]
    [ "$(grep -c '"split":"test"' a/metrics.jsonl)" -eq 1 ]
}

@test "train --json prints summary.json and nothing else" {
    train a --json > out 2> err
    [ ! -s err ]
    [ "$(wc -l < out)" -eq 1 ]
    [ "$(tr -d ' \t\n' < out)" = "$(tr -d ' \t\n' < a/summary.json)" ]
    [[ "$(cat out)" == '{"epochs":2,"steps":26,'*'"metrics":{"val":{"loss":'*'"test":{"loss":'* ]]
}

@test "train --quiet prints nothing, without it results go to standard output" {
    run train a
    [ "$status" -eq 0 ] && [ -z "$output" ]
    "$XENT" train "$tiny" -o b > out 2> err
    grep -q '^test: 40 samples' out
    grep -q '^epoch 2 ' err
}

@test "a run is not overwritten without --force" {
    train a
    cp -a a before
    fails 2 "a holds a run already; *" train a
    same_run a before
    train a --force --seed 3
    ! cmp -s a/checkpoints/last.safetensors before/checkpoints/last.safetensors
    train b --seed 3
    same_run a b
    fails 2 "--resume: *" train a --force --resume
}

@test "--force keeps the run that is there until the new one has a checkpoint" {
    train a
    cp -a a before
    ! train a --force --set 'model.type="none"' 2> err
    ! train a --force --set 'data={"type": "npz", "path": "none.npz"}' 2> err
    fails 1 "a: the loss is not finite *" train a --force --set optimizer.lr=1e30 --set train.save_every=1000
    diff -r a before
    long=(a --force --set train.epochs=100000 --set data.count=100000 --set train.batch_size=1 --set train.save_every=100000000)
    for signal in KILL INT; do
        "$XENT" train "$tiny" --quiet -o "${long[@]}" & run=$!
        until [ -s a/.new/config.json ]; do kill -0 $run; done
        [ $signal = KILL ] || break
        kill -9 $run
        wait $run 2> kill.log || true
        diff -r --exclude .new a before
        train a --resume
        diff -r a before
    done
    until [ -s a/.new/metrics.jsonl ]; do kill -0 $run; done
    kill -INT $run
    status=0
    wait $run || status=$?
    [ $status -eq 130 ]
    [ ! -e a/.new ]
    grep -q 100000 a/config.json
    [ -e a/checkpoints/last.safetensors ]
    [ ! -e a/summary.json ]
    [ ! -e a/report.html ]
}

@test "--force does not remove what the run reads" {
    train a
    cp -a a before
    fails 2 "--force: a/../a/config.json is read by this run*" "$XENT" train a/../a/config.json --quiet -o a --force
    fails 2 "--force: */a/checkpoints/last.safetensors is read by this run*" \
        train a --force --set train.init_from=a/checkpoints/last.safetensors
    same_run a before
}

@test "the resolved config gives the same bits, from any folder" {
    mkdir data other
    printf 'x,y\n1,a\n2,b\n3,a\n4,b\n5,a\n6,b\n7,a\n8,b\n' > data/t.csv
    cat > c.json <<'END'
{"data": {"type": "csv", "path": "data/t.csv", "target": "y"}, "model": "mlp", "train": {"epochs": 2}}
END
    "$XENT" train c.json --quiet -o a
    (cd other && "$XENT" train ../a/config.json --quiet -o ../b)
    same_run a b
}

@test "--dry-run prints the plan and writes nothing" {
    run train a --dry-run
    [ "$status" -eq 0 ]
    [[ "$output" == *'"steps_per_epoch":'*13* ]]
    [ ! -e a ]
    fails 2 "*: model.hiden: unknown key; did you mean \"hidden\"?" train a --set model.hiden=3
    [ ! -e a ]
}

@test "two epochs and two more give the bits of four" {
    train two
    train two --resume --set train.epochs=4
    train four --set train.epochs=4
    same_run two four
    no_leftovers two
}

@test "steps inside an epoch and the rest of it give the bits of all" {
    for options in "" "--set train.accumulate=3 --set train.ema=0.9 --set optimizer=sgd --set model.dropout=0.2"; do
        rm -rf part whole
        train part $options --set train.steps=3
        train part $options --resume --set train.steps=null
        train whole $options
        same_run part whole
    done
}

@test "the best checkpoint of a longer run knows nothing of an end inside an epoch" {
    set -- --set optimizer.lr=3
    train whole "$@"
    # After step 22 the validation loss is below that of epoch 1, after epoch 2 above.
    train part "$@" --set train.steps=22
    cmp part/checkpoints/best-epoch.safetensors <(train one "$@" --set train.steps=13 &&
        sed 's/"steps\\":13/"steps\\":22/' one/checkpoints/best.safetensors)
    ! cmp -s part/checkpoints/best.safetensors part/checkpoints/best-epoch.safetensors
    cp -a part again
    rm again/summary.json # as if killed before it
    train again "$@" --set train.steps=22 --resume
    same_run again part
    cmp again/checkpoints/best-epoch.safetensors part/checkpoints/best-epoch.safetensors
    train part "$@" --resume --set train.steps=null
    same_run part whole
    [ ! -e part/checkpoints/best-epoch.safetensors ]
}

@test "a plateau schedule, patience and the best checkpoint are resumed" {
    set -- --set schedule='{"type":"plateau","patience":0,"threshold":0.5}' --set optimizer.lr=0.3 \
        --set train.patience=3
    train part "$@" --set train.epochs=2
    train part "$@" --resume --set train.epochs=5
    train whole "$@" --set train.epochs=5
    same_run part whole
}

@test "transforms and per-sample state of a loss are resumed" {
    if ! "$XENT" list losses | grep -q '^  elr '; then skip "no loss with state of samples"; fi
    train part --set loss=elr --set train.steps=5
    train part --set loss=elr --resume --set train.steps=null
    train whole --set loss=elr
    same_run part whole
}

@test "kill -9 at any moment, then --resume, gives the bits of a run that was left alone" {
    train whole --set train.epochs=5
    for round in 1 2 3 4; do
        rm -rf a
        # The first kill may come before there is a run.
        killed_train a --set train.epochs=5
        for kill in 1 2; do
            [ -e a/config.json ] || break
            killed_train a --set train.epochs=5 --resume
            for file in a/checkpoints/*.safetensors; do
                [ ! -e "$file" ] || is_whole "$file"
            done
        done
        resume=
        [ ! -e a/config.json ] || resume=--resume
        train a --set train.epochs=5 $resume
        same_run a whole
        no_leftovers a
        [ -z "$(grep -Eo '"step":[0-9]+,"epoch":[0-9]+,"split":"[a-z]+"' a/metrics.jsonl | sort | uniq -d)" ]
    done
}

@test "a kill between the end of training and the summary is made good" {
    train whole --set train.steps=5
    cp -a whole a
    rm a/summary.json
    train a --set train.steps=5 --resume
    [ -e a/summary.json ]
    same_run a whole
    # Half a line, lines and state from after the checkpoint.
    cp -a whole b
    rm b/summary.json
    printf '{"step":6,"epoch":0,"split":"train","loss":1}\n{"step":7,"epo' >> b/metrics.jsonl
    train b --set train.steps=5 --resume
    same_run b whole
}

@test "the state alone decides: last.safetensors of another step is made anew" {
    train whole
    train a --set train.steps=3
    cp a/checkpoints/last.safetensors old
    train a --set train.steps=7 --resume
    cp old a/checkpoints/last.safetensors
    train a --set train.steps=null --resume
    same_run a whole
}

@test "--resume where there is no run is exit 2, in one that has not saved it starts" {
    fails 2 "--resume: a holds no run" train a --resume
    [ ! -e a ]
    mkdir a
    fails 2 "--resume: a holds no run" train a --resume
    train whole
    cp whole/config.json a
    train a --resume
    same_run a whole
}

@test "--resume with another config is exit 2 and names the key" {
    train a
    cp -a a before
    while IFS='|' read -r key words; do
        fails 2 "config: $key differs from a/config.json*" eval train a --resume $words
    done <<'END'
seed|--seed 1
model.hidden|--set model.hidden=[9]
optimizer.lr|--set optimizer.lr=0.5
optimizer.type|--set optimizer=sgd
train.batch_size|--set train.batch_size=4
train.shuffle|--set train.shuffle=false
train.log_every|--set train.log_every=2
data.count|--set data.count=96
END
    same_run a before
    [ "$(cat a/summary.json)" = "$(cat before/summary.json)" ]
}

@test "resuming a finished run changes nothing" {
    train a
    before=$(find a -type f -printf '%p %T@ %i\n' | sort)
    train a --resume
    train a --resume --threads 1 --json > out
    [ "$(tr -d ' \t\n' < out)" = "$(tr -d ' \t\n' < a/summary.json)" ]
    [ "$(find a -type f -printf '%p %T@ %i\n' | sort)" = "$before" ]
}

@test "a longer run that is killed does not keep the summary of the shorter one" {
    train a
    "$XENT" train "$tiny" --quiet -o a --resume --set train.epochs=100000 & run=$!
    until [ ! -e a/summary.json ]; do kill -0 $run; done
    kill -9 $run
    wait $run 2> kill.log || true
    [ ! -e a/summary.json ]
    train a --resume --set train.epochs=2
    [ -e a/summary.json ]
}

@test "one process trains in a folder, another is refused at once" {
    "$XENT" train "$tiny" --quiet -o a --set train.epochs=100000 & first=$!
    until [ -e a/metrics.jsonl ]; do kill -0 $first; done
    fails 1 "a: another process trains in this folder" train a --set train.epochs=100000 --resume
    fails 1 "a: another process trains in this folder" train a --force
    fails 1 "a: another process trains in this folder" train a
    kill -9 $first
    wait $first || true
    until [ -e a/checkpoints/last.safetensors ]; do train a --resume --set train.steps=1; done
    train a --resume --set train.epochs=1
}

@test "SIGINT and SIGTERM save and exit with 128 + N, and --resume goes on" {
    for signal in INT TERM; do
        rm -rf a
        # setsid: a shell in the background would have its commands ignore SIGINT
        setsid "$XENT" train "$tiny" --quiet -o a --set train.epochs=100000 & run=$!
        until [ -e a/checkpoints/last.safetensors ]; do kill -0 $run; done
        kill -s $signal $run
        code=0
        wait $run || code=$?
        [ $code -eq $((128 + $(kill -l $signal))) ]
        [ ! -e a/summary.json ]
        no_leftovers a
        is_whole a/checkpoints/last.safetensors
        last=$(tail -n 1 a/metrics.jsonl)
        epoch=${last#*\"epoch\":}
        train a --resume --set train.epochs=$((${epoch%%,*} + 1))
        train b --force --set train.epochs=$((${epoch%%,*} + 1))
        same_run a b
    done
}

@test "the bits do not depend on the number of threads" {
    cnn='{"data": {"type": "glyphs", "count": 48, "val_count": 16, "test_count": 16},
          "model": {"type": "cnn", "channels": [4], "hidden": [8], "norm": "batch_norm"},
          "train": {"epochs": 1, "batch_size": 16, "clip_norm": 0.5}}'
    for threads in 1 2 4; do
        "$XENT" train "$cnn" --quiet -o "$threads" --threads $threads
    done
    same_run 1 2
    same_run 1 4
    "$XENT" train "$cnn" --quiet -o none --set train.prefetch=false
    cmp 1/metrics.jsonl none/metrics.jsonl
    # layers that are large enough for threads to share
    wide=(--set data.count=128 --set 'model={"type": "cnn", "channels": [16, 32], "hidden": [64]}' --set train.batch_size=64)
    for threads in 1 2 4; do
        "$XENT" train "$cnn" "${wide[@]}" --quiet -o "wide$threads" --threads $threads
    done
    same_run wide1 wide2
    same_run wide1 wide4
}

@test "stale temporary files are removed" {
    train a
    touch a/metrics.jsonl.tmp a/checkpoints/last.safetensors.tmp a/notes.txt
    train a --resume --set train.epochs=3
    no_leftovers a
    [ -e a/notes.txt ]
    touch a/checkpoints/x.tmp
    train a --force
    no_leftovers a
    mkdir -p b/checkpoints
    touch b/checkpoints/last.safetensors.tmp
    train b
    no_leftovers b
}

@test "a loss that is no longer finite ends the run with exit 1" {
    fails 1 "a: the loss is not finite at step *, first in *; try a lower optimizer.lr or train.clip_norm" \
        train a --set optimizer='{"type":"sgd","lr":1e30}'
    [ ! -e a/summary.json ]
    no_leftovers a
    # One step an epoch: no training loss sees what it did.
    set -- --set optimizer='{"type":"sgd","lr":1e38}' --set train.steps=1
    fails 1 "b: * is not finite after *" train b "$@"
    fails 1 "c: the loss on the test split is not finite; *" train c "$@" --set data.val_count=0
}

@test "a checkpoint that is a symlink is replaced, not written through" {
    train a
    cp a/checkpoints/last.safetensors target
    cp target before
    ln -sf ../../target a/checkpoints/last.safetensors
    train a --resume --set train.epochs=3
    cmp target before
    [ ! -L a/checkpoints/last.safetensors ]
}

@test "a state that is a link to nowhere is an error, no new beginning" {
    train a
    cp -r a before
    ln -sf nowhere a/checkpoints/last.state.safetensors
    cp -P a/checkpoints/last.state.safetensors before/checkpoints/
    fails 1 "a/checkpoints/last.state.safetensors: No such file or directory" train a --resume
    diff -r --no-dereference a before
}

@test "a relative path is an error where the current folder is gone" {
    mkdir gone
    run bash -c 'cd gone && rmdir ../gone && "$0" check "{\"data\": {\"type\": \"idx\", \"path\": \"x\"}}"' "$XENT"
    [ "$status" -eq 2 ]
    [[ "$output" == "xent: "*"x: the current folder has no path: "* ]]
}

@test "a full disk is exit 1 with one line, and what was saved goes on" {
    train whole
    # Kilobytes a file may have: the first does for no checkpoint, the second for all but the last line of the log.
    for limit in 1 2; do
        train a --force --set train.steps=2
        cp a/checkpoints/last.safetensors before
        run bash -c 'ulimit -f $2; "$0" train "$1" --quiet -o a --resume' "$XENT" "$tiny" $limit
        [ "$status" -eq 1 ]
        [ "${#lines[@]}" -eq 1 ] && [[ "$output" == "xent: a/"* ]]
        [ $limit -eq 2 ] || cmp a/checkpoints/last.safetensors before
        is_whole a/checkpoints/last.safetensors
        no_leftovers a
        train a --resume
        same_run a whole
    done
}

@test "a folder that cannot be is exit 2 or 1, one line, and nothing is written" {
    touch file
    fails 2 "-o: file is not a folder" train file
    fails 1 "file/a: *" train file/a
    fails 2 'config:1: missing key "model"' "$XENT" train '{"data": "spirals"}' --quiet -o a
    [ ! -e a ]
}
