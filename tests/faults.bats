# One call of the system fails, whichever it is: exit 1 and one line, or the same bits as if nothing had happened;
# and the run that was there goes on to the bits of a run that was left alone. tests/fault.c makes the calls fail.
# XENT_FAULT_STRIDE=1 makes every call fail in turn (many minutes), not a sample of them.

load arrays

config='{"data": {"type": "spirals", "count": 40, "val_count": 20, "test_count": 20}, "model": {"type": "mlp", "hidden": [4]},
         "train": {"batch_size": 8, "epochs": 1, "prefetch": false, "report": false}}'

setup_file() {
    export FAULT_LIBRARY="$(dirname "$XENT")/tests/fault.so"
    [ "$(LD_PRELOAD=$FAULT_LIBRARY "$XENT" version 2>&1)" = "$("$XENT" version)" ] || { export FAULT_LIBRARY=; return 0; }
    cd "$BATS_FILE_TMPDIR"
    "$XENT" train "$config" --quiet -o one
    cp -r one two
    XENT_FAULT_COUNT=$PWD/resume.count LD_PRELOAD=$FAULT_LIBRARY "$XENT" train "$config" --quiet --threads 1 -o two --resume --set train.epochs=2
    XENT_FAULT_COUNT=$PWD/train.count LD_PRELOAD=$FAULT_LIBRARY "$XENT" train "$config" --quiet --threads 1 -o whole --set train.epochs=2
    XENT_FAULT_COUNT=$PWD/eval.count LD_PRELOAD=$FAULT_LIBRARY "$XENT" eval two --quiet --threads 1 --json -o evaluated > eval.out
    mkdir inputs
    cp -r one inputs/model
    "$XENT" train "$config" --set 'data.only_classes=[0]' --quiet -o inputs/few
    "$XENT" train '{"data": {"type": "markov-text", "length": 8}, "model": {"type": "transformer", "width": 8, "heads": 1, "layers": 1},
                    "train": {"steps": 2}}' --quiet -o inputs/text
    npy inputs/logits.npy '<f4' '4, 2' '\x00\x00\x80\x3f\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x3f\x00\x00\x80\x3f\x00\x00\x00\x00\x00\x00\x80\x3f\x00\x00\x00\x00'
    npy inputs/targets.npy '|u1' '4' '\x00\x01\x01\x01'
    npy inputs/weights.npy '<f4' '2, 2' '\x00\x00\x80\x3f\x00\x00\x00\x40\x00\x00\x80\xbf\x00\x00\x00\x3f'
}

setup() {
    [ -n "$FAULT_LIBRARY" ] || skip "this build takes no preloaded library"
    cd "$BATS_TEST_TMPDIR"
    shared=$BATS_FILE_TMPDIR
}

count_of() { # WHAT CALL
    sed -n "s/^$2 //p" "$shared/$1.count"
}

train() {
    LD_PRELOAD=$FAULT_LIBRARY "$XENT" train "$config" --quiet --threads 1 -o "$@"
}

same_run() {
    for file in checkpoints/last.safetensors checkpoints/best.safetensors checkpoints/last.state.safetensors metrics.jsonl; do
        cmp "$1/$file" "$2/$file" || return 1
    done
}

complain() {
    echo "XENT_FAULT=$fault: $*; exit $status: $(cat err)"
    return 1
}

# Status 1 has one line, and 0 has none and is allowed only if $may_pass says so. A config that cannot be read is 2.
check_end() {
    if [ "$status" -eq 1 ] || { [ "$status" -eq 2 ] && [[ "$(cat err)" == *"config.json: "* ]]; }; then
        [ "$(wc -l < err)" -eq 1 ] && [[ "$(cat err)" == "xent: "?* ]] || complain "expected one line"
    else
        [ "$status" -eq 0 ] && [ -n "$may_pass" ] && [ ! -s err ] || complain "expected exit 1"
    fi
}

try_resume() {
    rm -rf r
    cp -r "$shared/one" r
    status=0
    XENT_FAULT=$fault LD_PRELOAD=$FAULT_LIBRARY train r --resume --set train.epochs=2 > out 2> err || status=$?
    check_end || return 1
    train r --resume --set train.epochs=2 2> err || complain "then --resume failed" || return 1
    same_run r "$shared/two" || complain "then --resume gave other bits" || return 1
    [ -z "$(find r -name '*.tmp')" ] || complain "left $(find r -name '*.tmp')"
}

# A new run that failed is one to resume, or leaves the folder free for another.
try_train() {
    rm -rf r
    status=0
    XENT_FAULT=$fault LD_PRELOAD=$FAULT_LIBRARY train r --set train.epochs=2 > out 2> err || status=$?
    check_end || return 1
    local resume=
    [ ! -e r/config.json ] || resume=--resume
    train r $resume --set train.epochs=2 2> err || complain "then training failed" || return 1
    same_run r "$shared/whole" || complain "then training gave other bits" || return 1
    [ -z "$(find r -name '*.tmp')" ] || complain "left $(find r -name '*.tmp')"
}

try_eval() {
    rm -rf e
    status=0
    XENT_FAULT=$fault LD_PRELOAD=$FAULT_LIBRARY "$XENT" eval "$shared/two" --quiet --threads 1 --json -o e > out 2> err || status=$?
    check_end || return 1
    [ "$status" -eq 1 ] || { cmp out "$shared/eval.out" && cmp e/evaluation.json "$shared/evaluated/evaluation.json"; } || complain "other figures"
}

# sweep WHAT CALL HOW [STRIDE]
sweep() {
    local count stride=${4:-1}
    count=$(count_of "$1" "$2")
    [ "$count" -gt 0 ]
    stride=${XENT_FAULT_STRIDE:-$stride}
    for ((k = 1; k <= count; k += stride)); do
        fault=$2:$k:$3
        "try_$1" || return 1
    done
}

@test "a resumed run of which an open, write, fsync, rename or close fails" {
    may_pass=
    sweep resume write ENOSPC 2
    sweep resume fsync EIO 4
    sweep resume rename EACCES 2
    sweep resume close EDQUOT 3
    sweep resume open EMFILE 3
    sweep resume read EIO 3
    may_pass=yes # removing what is not there
    sweep resume unlink EACCES 4
}

@test "a new run of which an open, write, fsync, rename or close fails" {
    may_pass=
    sweep train write EIO 3
    sweep train fsync ENOSPC 5
    sweep train rename EIO 2
    sweep train open EACCES 3
}

@test "a run of which the page or the figures cannot be written is made good by --resume" {
    train whole --set train.report=true --set train.epochs=2
    XENT_FAULT_COUNT=count train r --set train.report=true --set train.epochs=2
    for call in write:1:ENOSPC write:4:EIO rename:1:EACCES rename:3:EIO fsync:1:EIO; do # from the last one
        IFS=: read -r call back how <<< "$call"
        fault=$call:$(($(sed -n "s/^$call //p" count) - back + 1)):$how
        rm -rf r
        status=0
        XENT_FAULT=$fault train r --set train.report=true --set train.epochs=2 > out 2> err || status=$?
        may_pass= check_end
        train r --resume --set train.report=true --set train.epochs=2
        same_run r whole
        diff <(cd whole && find . -type f | sort) <(cd r && find . -type f | sort)
        "$XENT" report r -o page.html --quiet --force
    done
}

@test "eval of which an open, read, write, fsync, rename or close fails" {
    may_pass=
    sweep eval open EACCES
    sweep eval read EIO
    sweep eval write ENOSPC
    sweep eval fsync EIO
    sweep eval rename EIO
    sweep eval close EIO
}

@test "short and interrupted reads, writes, syncs and closes are continued" {
    for fault in write:0:short read:0:short write:0:EINTR read:0:EINTR fsync:0:EINTR close:0:EINTR; do
        rm -rf r
        XENT_FAULT=$fault LD_PRELOAD=$FAULT_LIBRARY train r --set train.epochs=2
        same_run r "$shared/whole" || { echo "$fault"; false; }
        XENT_FAULT=$fault LD_PRELOAD=$FAULT_LIBRARY "$XENT" eval r --quiet --json > out
        cmp out "$shared/eval.out" || { echo "$fault"; false; }
    done
}

stride() { # WHAT
    echo "$(($(count_of "$1" allocate) / 12 + 1))"
}

@test "an allocation fails" {
    may_pass=yes
    sweep resume allocate ENOMEM "$(stride resume)"
    sweep eval allocate ENOMEM "$(stride eval)"
}

# Commands that read a run, arrays or nothing and write results: exit 1 and one line, or the same bytes; no file of a
# half-written result; what is read stays as it was. Exit 2 comes before anything is written.
try_once() {
    rm -rf o
    [ -n "$own_folder" ] || mkdir o
    status=0
    XENT_FAULT=$fault LD_PRELOAD=$FAULT_LIBRARY "$XENT" "${once[@]}" --quiet --threads 1 > out 2> err || status=$?
    check_end || return 1
    mkdir -p o
    [ "$status" -ne 2 ] || [ -z "$(ls o)" ] || complain "wrote $(ls o)" || return 1
    [ -z "$(find o -name '*.tmp')" ] || complain "left $(find o -name '*.tmp')" || return 1
    diff -r "$shared/inputs" inputs || complain "changed what it reads" || return 1
    [ "$status" -ne 0 ] || { cmp out wanted.out && diff -r o wanted; } || complain "other bytes"
}

# once COMMAND...; writes into o, or makes it if $own_folder says so. XENT_FAULT_STRIDE=1 makes every call fail.
once() {
    local call counted stride
    once=("$@")
    rm -rf o wanted inputs
    cp -r "$shared/inputs" inputs
    [ -n "$own_folder" ] || mkdir o
    XENT_FAULT_COUNT=$shared/once.count LD_PRELOAD=$FAULT_LIBRARY "$XENT" "$@" --quiet --threads 1 > wanted.out
    mkdir -p o
    mv o wanted
    may_pass=
    for call in open:EACCES read:EIO write:ENOSPC fsync:EIO rename:EACCES close:EIO; do
        counted=$(count_of once "${call%:*}")
        [ "$counted" -eq 0 ] || sweep once "${call%:*}" "${call#*:}" "$((counted / 3 + 1))"
    done
    may_pass=yes
    for fault in write:0:short read:0:short write:0:EINTR read:0:EINTR fsync:0:EINTR close:0:EINTR; do
        try_once
        [ "$status" -eq 0 ] || complain "was not continued"
    done
    sweep once allocate ENOMEM "$(($(count_of once allocate) / 6 + 1))"
}

@test "predict, export, add-class, data, report, generate and loss of which a call fails" {
    own_folder=
    once predict inputs/model -o o/p.npy
    once export inputs/model --format onnx -o o/m.onnx
    once export inputs/model --format safetensors -o o/m.safetensors
    once add-class inputs/few -o o/few.safetensors
    once data "$config" -o o/d.npz
    fault=allocate:$(($(count_of once allocate) - 4)):ENOMEM # while the file is open
    try_once
    once data '{"data": {"type": "glyphs", "count": 2, "val_count": 0, "test_count": 0}}' -o o/pictures/
    once report inputs/model -o o/page.html
    once generate inputs/text --tokens 3
    once loss ce --logits inputs/logits.npy --targets inputs/targets.npy --json --grad logits=o/g.npy
}

@test "calibrate and quantize of which a call fails" {
    own_folder=yes
    once calibrate inputs/model '{"calibrate": "histogram"}' -o o
    once calibrate --logits inputs/logits.npy --targets inputs/targets.npy '{"calibrate": "histogram"}' -o o
    once quantize inputs/model '{"quantize": "rtn"}' -o o
    own_folder=
    once quantize --weights inputs/weights.npy '{"quantize": "rtn"}' --dequantized o/w.npy -o o/report
}

# A result with --force in the place of another, which is whole until the new one is.
replace_once() {
    rm -rf o
    cp -r old o
    status=0
    XENT_FAULT=$fault LD_PRELOAD=$FAULT_LIBRARY "$XENT" "${once[@]}" --quiet --threads 1 > out 2> err || status=$?
    check_end || return 1
    if [ "$status" -eq 0 ]; then
        diff -r o wanted || complain "other bytes"
    else
        [[ "$fault" != allocate:* ]] || rm -rf o/.new # of a process that had no time to remove it
        diff -r o old || complain "lost what was there"
    fi
}

@test "calibrate and quantize --force of which a call fails leave what was there" {
    local call counted
    cp -r "$shared/inputs" inputs
    for command in calibrate quantize; do
        rm -rf old wanted
        if [ $command = calibrate ]; then
            "$XENT" quantize inputs/model '{"quantize": "rtn"}' -o old --quiet > out
            once=(calibrate inputs/model '{"calibrate": "histogram"}' -o o --force)
        else
            "$XENT" calibrate inputs/model '{"calibrate": "isotonic"}' -o old --quiet > out
            once=(quantize inputs/model '{"quantize": "rtn"}' -o o --force)
        fi
        echo mine > old/notes.txt
        cp -r old o
        XENT_FAULT_COUNT=$shared/once.count LD_PRELOAD=$FAULT_LIBRARY "$XENT" "${once[@]}" --quiet --threads 1 > out
        mv o wanted
        [ "$(cat wanted/notes.txt)" = mine ]
        [ ! -e wanted/.new ]
        may_pass=
        for call in open:EACCES write:ENOSPC fsync:EIO rename:EACCES close:EIO; do
            counted=$(count_of once "${call%:*}")
            for ((k = 0; k < counted; k++)); do
                fault=${call%:*}:$k:${call#*:}
                replace_once
            done
        done
        may_pass=yes
        for ((k = 0; k < $(count_of once allocate); k += $(count_of once allocate) / 8 + 1)); do
            fault=allocate:$k:ENOMEM
            replace_once
        done
    done
    rm -rf o
    cp -r old o
    run bash -c 'ulimit -f 1; "$0" "${@}"' "$XENT" "${once[@]}"
    [ "$status" -eq 1 ]
    diff -r o old
}

# The run that was there, or the whole of the one that replaces it, which goes on to the same bits.
try_replace() {
    rm -rf r
    cp -r "$shared/old" r
    status=0
    XENT_FAULT=$fault LD_PRELOAD=$FAULT_LIBRARY train r --force --set train.epochs=2 > out 2> err || status=$?
    [ "$status" -eq 137 ] || check_end || return 1
    [ -n "$(find r/checkpoints r/.next/checkpoints -name last.safetensors 2> find.log)" ] || complain "no run is left" || return 1
    if train r --resume --set train.epochs=2 2> err; then
        same_run r "$shared/whole" || complain "then --resume gave other bits" || return 1
        [ ! -e r/plots/loss.png ] || complain "has a plot of the run before"
    else
        [[ "$(cat err)" == *"seed differs from r/config.json"* ]] || complain "then --resume failed" || return 1
        diff -r --exclude .new r "$shared/old" || complain "lost what was there" || return 1
        train r --force --set train.epochs=2 2> err || complain "then --force failed" || return 1
        same_run r "$shared/whole" || complain "then --force gave other bits" || return 1
    fi
    [ ! -e r/.new ] && [ ! -e r/.next ] || complain "left .new or .next"
}

@test "train --force that fails or is killed leaves the run that was there, or the new one" {
    "$XENT" train "$config" --quiet -o "$shared/old" --seed 9 --set train.report=true
    cp -r "$shared/old" r
    XENT_FAULT_COUNT=$shared/replace.count LD_PRELOAD=$FAULT_LIBRARY train r --force --set train.epochs=2
    same_run r "$shared/whole"
    [ ! -e r/plots/loss.png ]
    may_pass=
    sweep replace rename kill
    sweep replace rename EACCES 2
    sweep replace fsync kill 4
    sweep replace fsync EIO 4
    sweep replace write ENOSPC 5
    may_pass=yes # removing what is not there
    sweep replace unlink kill 4
    sweep replace unlink EACCES 6
}

@test "the first allocations fail" {
    for command in "version" "help train" "list" "train none"; do
        for ((k = 1; k <= 12; k++)); do
            fault=allocate:$k:ENOMEM
            status=0
            XENT_FAULT=$fault LD_PRELOAD=$FAULT_LIBRARY "$XENT" $command > out 2> err || status=$?
            may_pass=yes
            [ "$status" -eq 2 ] || check_end
        done
    done
}

@test "threads cannot be created" {
    set -- "$config" --quiet --threads 4 --set train.epochs=2 --set train.prefetch=true --set model.hidden=[64] --set data.count=2000 \
        --set train.batch_size=500
    "$XENT" train "$@" -o whole
    XENT_FAULT_COUNT=count LD_PRELOAD=$FAULT_LIBRARY "$XENT" train "$@" -o r
    grep -q '^thread [1-9]' count # there are threads to fail
    for k in 0 1 2 3 4; do
        XENT_FAULT=thread:$k:EAGAIN LD_PRELOAD=$FAULT_LIBRARY "$XENT" train "$@" -o r --force
        same_run r whole
    done
}

@test "a file that may not grow" {
    (ulimit -f 1; status=0; train r > out 2> err || status=$?; [ "$status" -eq 1 ]) # 1 KiB, and SIGXFSZ is ignored
    [ "$(wc -l < err)" -eq 1 ]
    [[ "$(cat err)" == "xent: r/"*": "* ]]
    [ -z "$(find r -name '*.tmp')" ]
}
