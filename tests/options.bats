# The options that every command takes.

load arrays

setup_file() {
    cd "$BATS_FILE_TMPDIR"
    data='"data": {"type": "spirals", "count": 40, "val_count": 20}' model='"model": {"type": "mlp", "hidden": [4]}'
    echo "{$data, $model, \"train\": {\"epochs\": 1, \"batch_size\": 10}}" > c.json
    echo '{"calibrate": "histogram"}' > calibrate.json
    echo '{"quantize": "rtn"}' > quantize.json
    echo '{"extends": "c.json", "distill": {"type": "kd", "teacher": "run"}}' > distill.json
    echo "{$data}" > data.json
    "$XENT" train c.json -o run --quiet
    "$XENT" train c.json --set "data.only_classes=[0]" -o few --quiet
    text='"data": {"type": "markov-text", "classes": 6, "length": 8, "count": 200, "val_count": 40, "test_count": 40}'
    model='"model": {"type": "transformer", "layers": 1, "width": 8, "heads": 1}'
    "$XENT" train "{$text, $model, \"train\": {\"steps\": 1, \"batch_size\": 2}}" -o text --quiet
    npy z.npy '<f4' '1, 2' '\0\0\0\0\0\0\0\0'
    npy y.npy '|u1' 1 '\0'
}

setup() { cd "$BATS_FILE_TMPDIR"; }

# The command, the --set that changes something, what runs it; OUT is a name that is not taken.
commands() {
    cat <<'TABLE'
train|seed=2|train c.json -o OUT
check|seed=2|check c.json
eval|seed=2|eval run
calibrate|calibrate={"type":"histogram"}|calibrate run calibrate.json -o OUT
distill|seed=2|distill distill.json -o OUT
quantize|quantize={"type":"rtn"}|quantize run quantize.json -o OUT
predict|seed=2|predict run
generate|seed=2|generate text --tokens 4
loss|label_smoothing=0.1|loss ce --logits z.npy --targets y.npy
report|seed=2|report run -o OUT
data|seed=2|data data.json -o OUT.npz
add-class|seed=2|add-class few -o OUT.safetensors
export|seed=2|export run --format safetensors -o OUT
bench|repeat=1|bench sgemm/1x1x1 --set seconds=0 --set peaks=false
analyze|analyze={"type":"bounds","tau":1.5}|analyze bounds
list|seed=2|list
describe|seed=2|describe loss ce
version|seed=2|version
help|seed=2|help
TABLE
}

# each FUNCTION: calls it for every row with the name, the --set and the words.
each() {
    while IFS='|' read -r name set words; do
        "$1" "$name" "$set" ${words//OUT/$1-$name} || { echo "$1 $name: exit $? $(< err)"; return 1; }
    done < <(commands)
}

ran() { "$XENT" "$@" > out 2> err < /dev/null; }

set_() { ran "${@:3}" --set "$2"; }
seed() { ran "${@:3}" --seed 9223372036854775807; }
threads() { ran "${@:3}" --threads 1; }
quiet() { ran "${@:3}" --quiet && [ ! -s err ]; }
json() { ran "${@:3}" --json && [ "$(head -c 1 out)" = "{" ] && [ "$(tail -c 2 out)" = "}" ]; }
short_help() { ran "${@:3}" -h && [[ "$(< out)" == "usage: xent $1"* ]]; }
bad_seed() {
    local status=0
    ran "${@:3}" --seed 1x || status=$?
    [ "$status" -eq 2 ] && [[ "$(< err)" == 'xent: --seed: '* ]]
}

@test "the table holds every command" {
    diff <(commands | cut -d'|' -f1 | sort) <("$XENT" help | sed -n 's/^  \([a-z-]*\) .*/\1/p' | sort)
}

@test "every command takes --set" { each set_; }
@test "every command takes --seed" { each seed; }
@test "every command takes --threads" { each threads; }
@test "every command takes --quiet, and prints nothing on standard error then" { each quiet; }
@test "every command takes --json, and prints one object" { each json; }
@test "every command takes -h" { each short_help; }
@test "a seed that is none is exit 2 and named, whatever the command" { each bad_seed; }
