# Every row of bad_inputs.tsv is a command line that must be refused: with the row's exit status, one line on standard
# error that begins "xent: " and holds the row's words, no control characters, nothing on standard output, and nothing
# left behind. To add a case: a row of STATUS, tab, words (" ... " between several), tab, the command line as a shell
# reads it; a file that it needs is made in bad_inputs.bash. In a row %D stands for a small data section, %M for a model,
# %C for a config of both, %A for a calibrate command on sound arrays.

load arrays
load bad_inputs

data='"data": {"type": "spirals", "count": 40, "val_count": 20, "test_count": 20}'
model='"model": {"type": "mlp", "hidden": [4]}'

# Sets `line` (what is wrong with the case) or leaves it empty.
try_row() { # STATUS WORDS COMMAND
    local status=0 expected=$1 words=$2 command=$3 part
    line=
    command=${command//%C/"'{%D, %M}'"}
    command=${command//%A/"calibrate --logits x.npy --targets y.npy"}
    command=${command//%D/"$data"}
    command=${command//%M/"$model"}
    eval "set -- $command"
    timeout 20 "$XENT" "$@" > ../out 2> ../err < /dev/null || status=$?
    IFS= read -r -d '' message < ../err || true
    [ "$status" -eq "$expected" ] || line="exit $status, not $expected"
    [[ "$message" == "xent: "?*$'\n' && "${message%$'\n'}" != *[[:cntrl:]]* ]] || line="not one line"
    [ ! -s ../out ] || line="something on standard output"
    words=${words//" ... "/$'\n'}
    while IFS= read -r part; do
        [[ "$message" == *"$part"* ]] || line="does not say \"$part\""
    done <<< "$words"
}

@test "bad inputs are refused with one line" {
    mkdir "$BATS_TEST_TMPDIR/work"
    cd "$BATS_TEST_TMPDIR/work"
    make_inputs
    "$XENT" train "{$data, $model, \"train\": {\"epochs\": 1}}" --quiet -o run
    local before after rows=0 bad=0
    before=$(find . | sort)
    while IFS=$'\t' read -r wanted words command; do
        [[ -n "$wanted" && "$wanted" != '#'* ]] || continue
        rows=$((rows + 1))
        try_row "$wanted" "$words" "$command"
        after=$(find . | sort)
        [ "$after" = "$before" ] || line="left $(diff <(echo "$before") <(echo "$after") | grep '^[<>]' | tr '\n' ' ')"
        [ -z "$line" ] || { echo "$command: $line: ${message%%$'\n'*}"; bad=$((bad + 1)); }
        rm -rf runs new
        before=$(find . | sort)
    done < "$BATS_TEST_DIRNAME/bad_inputs.tsv"
    echo "$rows rows, $bad bad"
    [ "$rows" -ge 450 ] && [ "$bad" -eq 0 ]
}
