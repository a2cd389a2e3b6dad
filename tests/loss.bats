# xent loss on arrays, xent describe.
load arrays.bash

setup() {
    cd "$BATS_TEST_TMPDIR"
    # [[1, 0], [0, 1]] in f4 and f8
    npy z.npy '<f4' '2, 2' '\x00\x00\x80\x3f\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x3f'
    npy z8.npy '<f8' '2, 2' '\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xf0\x3f'
    npy y.npy '|u1' 2 '\x00\x00'
    npy w.npy '<f4' 2 '\x00\x00\x80\x3f\x00\x00\x00\x00'
}

@test "loss prints mean and values" {
    run "$XENT" loss ce --logits z.npy --targets y.npy --json
    [ "$status" -eq 0 ]
    [[ "$output" == '{"loss":0.813261688,"per_sample":[0.313261688,1.31326163]}' || "$output" == '{"loss":0.8132616'*'"per_sample":[0.31326'*',1.31326'*']}' ]]
    run "$XENT" loss '{"type":"ce"}' --logits z8.npy --targets y.npy --json
    [ "$output" = '{"loss":0.813261688,"per_sample":[0.313261688,1.31326169]}' ]
    run "$XENT" loss ce --logits z8.npy --targets y.npy
    [ "${lines[0]}" = "loss     0.813261688" ]
}

@test "loss takes a file, and --set changes it" {
    echo '{"type": "gce", "q": 1}' > spec.json
    [ "$("$XENT" loss spec.json --logits z8.npy --targets y.npy --json)" = "$("$XENT" loss mae --logits z8.npy --targets y.npy --json)" ]
    [ "$("$XENT" loss spec.json --set q=0 --logits z8.npy --targets y.npy --json)" = "$("$XENT" loss ce --logits z8.npy --targets y.npy --json)" ]
    [ "$("$XENT" loss '"gce"' --set q=0 --logits z8.npy --targets y.npy --json)" = "$("$XENT" loss ce --logits z8.npy --targets y.npy --json)" ]
    [ "$("$XENT" loss gce --set q=0 --logits z8.npy --targets y.npy --json)" = "$("$XENT" loss ce --logits z8.npy --targets y.npy --json)" ]
}

@test "sample weights join the mean" {
    run "$XENT" loss ce --logits z8.npy --targets y.npy --weights w.npy --json
    [[ "$output" == '{"loss":0.313261688,'* ]]
}

@test "targets may be integers of any width" {
    npy y8.npy '<i8' 2 '\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0'
    npy y2.npy '>u2' 2 '\0\0\0\0'
    expected=$("$XENT" loss ce --logits z.npy --targets y.npy --json)
    for file in y8.npy y2.npy; do
        [ "$("$XENT" loss ce --logits z.npy --targets "$file" --json)" = "$expected" ]
    done
}

@test "the gradient has the shape and type of the input" {
    "$XENT" loss ce --logits z.npy --targets y.npy --grad g.npy --quiet > /dev/null
    head -c 128 g.npy | LC_ALL=C grep -qa "'<f4'.*(2,2,)"
    [ "$(wc -c < g.npy)" -eq 144 ]
    "$XENT" loss kd --logits z.npy --targets y.npy --extra teacher_logits=z8.npy --grad teacher_logits=t.npy --grad g8.npy > /dev/null
    head -c 128 t.npy | LC_ALL=C grep -qa "'<f8'.*(2,2,)"
    [ "$(ls)" = "$(printf '%s\n' g.npy g8.npy t.npy w.npy y.npy z.npy z8.npy)" ]
}

@test "the example of every loss on the page runs, with weights, features and extras" {
    "$XENT" help --page xent-losses > page
    count=0
    for name in $("$XENT" list losses | sed -n 's/^  \([a-z0-9_]*\) .*/\1/p'); do
        awk -v name="$name" '$1 == ".Ss" { here = $2 == name } here && /^xent loss /' page | sed 's/\\-/-/g; s/\\(aq/'"'"'/g; s/\\(dq/"/g' > commands
        [ "$(wc -l < commands)" -eq 2 ] || { echo "$name: no example"; cat commands; false; }
        sed -e "s/^xent/\"\$XENT\"/" -e "s/DIR/$name/g" commands > run.sh
        run bash -e run.sh
        [ "$status" -eq 0 ] || { echo "$name: $output"; cat run.sh; false; }
        [ -s "$name/gradient.npy" ]
        for file in "$name"/*.npy; do
            input=${file#*/}
            [ "$input" = gradient.npy ] || grep -q -- "/$input" run.sh || { echo "$file is not used"; false; }
        done
        [ -e "$name/weights.npy" ] || "$XENT" describe loss "$name" --json | grep -q '"per_sample":false'
        count=$((count + 1))
    done
    [ "$count" -ge 69 ]
}

@test "the sample of a sum with a term of the whole batch has no weights" {
    spec='{"type": "sum", "terms": ["bias", "mw", {"type": "entropy", "weight": -0.1}]}'
    "$XENT" loss "$spec" --sample inputs > command
    [ ! -e inputs/weights.npy ] && [ -e inputs/features.npy ]
    sed 's/^xent/"$XENT"/' command > run.sh
    run sh run.sh
    [ "$status" -eq 0 ] && [ -s inputs/gradient.npy ]
}

@test "a sample has as many classes as the loss asks for" {
    for spec in ldr_topk '{"type": "ldr_topk", "k": 20}'; do
        rm -rf inputs
        "$XENT" loss "$spec" --sample inputs > command
        sed 's/^xent/"$XENT"/' command > run.sh
        run sh run.sh
        [ "$status" -eq 0 ] && [ -s inputs/gradient.npy ] || { echo "$spec: $output"; false; }
    done
}

@test "a sample needs a folder that is not there, and nothing else" {
    mkdir there
    for words in "--sample there" "--sample z.npy" "--sample new --logits z.npy" "--sample new --grad g.npy"; do
        run "$XENT" loss kd $words
        [ "$status" -eq 2 ] || { echo "$words: $status"; false; }
        [[ "${#lines[@]}" -eq 1 && "$output" == "xent: --sample: "* ]] || { echo "$words: $output"; false; }
    done
    [ ! -e new ]
    "$XENT" loss kd --sample new --seed 4
    "$XENT" loss kd --sample other --seed 5
    ! cmp -s new/logits.npy other/logits.npy
}

@test "a whole batch has no values of samples" {
    run "$XENT" loss mw --logits z8.npy --targets y.npy --json
    [ "$status" -eq 0 ]
    [[ "$output" == '{"loss":'*',"per_sample":null}' ]]
}

@test "what is not finite prints as null and is exit 1, without a gradient" {
    npy nan.npy '<f4' '1, 2' '\x00\x00\xc0\x7f\x00\x00\x00\x00'
    npy one.npy '|u1' 1 '\x00'
    run bash -c "\"$XENT\" loss ce --logits nan.npy --targets one.npy --grad g.npy --json 2>err"
    [ "$status" -eq 1 ]
    [ "$output" = '{"loss":null,"per_sample":[null]}' ]
    [[ "$(cat err)" == "xent: nan.npy: the loss of row 0 is not finite" ]]
    [ ! -e g.npy ]
}

@test "an output is never an input" {
    ln z.npy hard.npy
    cp z.npy before.npy
    for words in "--grad z.npy" "--grad hard.npy" "--grad y.npy" "--grad ./z.npy" "--grad g.npy --grad g2.npy" "--grad nothing=g.npy" "--grad targets=g.npy"; do
        run "$XENT" loss ce --logits z.npy --targets y.npy $words
        [ "$status" -eq 2 ] || { echo "$words: $status"; false; }
        [[ "${#lines[@]}" -eq 1 && "$output" == "xent: --grad: "* ]] || { echo "$output"; false; }
    done
    cmp z.npy before.npy
    [ ! -e g.npy ]
}

@test "wrong data is exit 1 and names file and row" {
    npy far.npy '|u1' 2 '\x00\x02'
    npy many.npy '|u1' 3 '\x00\x00\x00'
    npy wide.npy '<i8' 2 '\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0'
    while read -r file words; do
        run "$XENT" loss $words --grad g.npy
        [ "$status" -eq 1 ] || { echo "$words: exit $status $output"; false; }
        [[ "${#lines[@]}" -eq 1 && "$output" == "xent: $file: "* ]] || { echo "$words: $output"; false; }
        [ ! -e g.npy ]
    done <<'END'
far.npy ce --logits z.npy --targets far.npy
many.npy ce --logits z.npy --targets many.npy
wide.npy ce --logits z.npy --targets wide.npy
w.npy focal --logits z.npy --targets w.npy
z.npy focal --logits z.npy --targets z.npy
y.npy ce --logits y.npy --targets y.npy
w.npy ce --logits w.npy --targets y.npy
none.npy ce --logits none.npy --targets y.npy
. ce --logits . --targets y.npy
w.npy kd --logits z.npy --targets y.npy --extra teacher_logits=w.npy
END
    run "$XENT" loss ce --logits z.npy --targets far.npy
    [[ "$output" == *"row 1"* ]]
}

@test "a wrong command line is exit 2 and one line" {
    while read -r words; do
        run bash -c "\"$XENT\" loss $words"
        [ "$status" -eq 2 ] || { echo "$words: exit $status $output"; false; }
        [[ "${#lines[@]}" -eq 1 && "$output" == "xent: "* ]] || { echo "$words: $output"; false; }
    done <<'END'

ce
ce --logits z.npy
ce --targets y.npy
cee --logits z.npy --targets y.npy
ce --logits z.npy --targets y.npy --extra a=z.npy
ce --logits z.npy --targets y.npy --extra z.npy
kd --logits z.npy --targets y.npy
kd --logits z.npy --targets y.npy --extra teacher_logits=z.npy --extra teacher_logits=z8.npy
gce --logits z.npy --targets y.npy --set q=2
gce --logits z.npy --targets y.npy --set p=2
'{"type":"ce","class_weights":[1]}' --logits z.npy --targets y.npy
'{"type":"gce","q":0.7,}' --logits z.npy --targets y.npy
mw --logits z.npy --targets y.npy --weights w.npy
entropy --logits z.npy --logits z.npy
class_balanced --logits z.npy --targets y.npy
END
}

@test "cce: embeddings, weight and bias, and the gradient of each" {
    # weight [[1, 0], [0, 1]] makes logits of embeddings
    npy b.npy '<f4' 2 '\0\0\0\0\0\0\0\0'
    [ "$("$XENT" loss cce --logits z.npy --targets y.npy --extra weight=z.npy --extra bias=b.npy --grad logits=e.npy --grad weight=w_.npy --grad bias=b_.npy --json)" = "$("$XENT" loss ce --logits z.npy --targets y.npy --grad z_.npy --json)" ]
    cmp e.npy z_.npy
    [ "$(wc -c < w_.npy)" -eq "$(wc -c < z_.npy)" ]
    [ -s b_.npy ]
    [ "$("$XENT" loss cce --logits z8.npy --targets y.npy --extra weight=z8.npy --json)" = "$("$XENT" loss ce --logits z8.npy --targets y.npy --json)" ]
    run "$XENT" loss cce --set filter_eps=most --logits z.npy --targets y.npy
    [ "$status" -eq 2 ] && [[ "$output" == *'filter_eps: expected a number >= 0, "auto", "paper" or null'* ]]
    run "$XENT" loss cce --logits z.npy --targets y.npy --extra weight=b.npy
    [ "$status" -eq 1 ] && [ "$output" = "xent: b.npy: weight: expected [words, 2], as wide as the embeddings" ]
}

@test "describe says what every component is" {
    for kind in $("$XENT" list --json | tr ',{' '\n\n' | sed -n 's/^"\([a-z]*\)":\[$/\1/p'); do
        for name in $("$XENT" list "$kind" | sed -n 's/^  \([a-z0-9_]*\) .*/\1/p'); do
            "$XENT" describe "$kind" "$name" > /dev/null
            "$XENT" describe "$kind" "$name" --json | grep -q "\"name\":\"$name\""
        done
    done
}

@test "describe tells targets, extras and whether there is a value a sample" {
    run "$XENT" describe loss kd --json
    [[ "$output" == *'"targets":"classes or probabilities","extras":["teacher_logits"],'*'"per_sample":true'* ]]
    run "$XENT" describe loss mw --json
    [[ "$output" == *'"extras":[],'*'"per_sample":false'* ]]
    run "$XENT" describe loss gce
    [[ "$output" == *"q                  number, 0 to 1; default 0.7"* ]]
    for words in "loss" "los ce" "loss cee" "loss ce x"; do
        run "$XENT" describe $words
        [ "$status" -eq 2 ]
    done
}

@test "a weight that moves is taken as at the end of training, and said to be" {
    end='{"type": "sum", "terms": ["ce", {"type": "entropy", "weight": 0.25}]}'
    moving='{"type": "sum", "terms": ["ce", {"type": "entropy", "weight": {"type": "linear", "from": -1, "to": 0.25}}]}'
    [ "$("$XENT" loss "$moving" --logits z.npy --targets y.npy --json 2> said)" = \
        "$("$XENT" loss "$end" --logits z.npy --targets y.npy --json 2> nothing)" ]
    [ "$(cat said)" = "xent: loss: weights that move are taken as at the end of training; numbers in their place give others" ]
    [ ! -s nothing ]
    "$XENT" loss "$moving" --logits z.npy --targets y.npy --quiet 2> nothing
    [ ! -s nothing ]
}

@test "terms of a sum: values and gradients are the weighted sums of theirs, rows where all have some" {
    npy t.npy '<f8' '2, 2' '\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xf0\x3f'
    value() { sed 's/{"loss":\([^,]*\),.*/\1/'; }
    for loss in mw tri_bce ce cce "bias --features t.npy" "kd --extra teacher_logits=t.npy"; do
        set -- ${loss#* } --logits z8.npy --targets y.npy --json
        [ "$1" != "$loss" ] || shift
        alone=$("$XENT" loss ${loss%% *} "$@" --grad alone.npy | value)
        for sum in "1 {\"type\": \"sum\", \"terms\": [\"${loss%% *}\"]}" "2 {\"type\": \"sum\", \"terms\": [\"${loss%% *}\", \"${loss%% *}\"]}" \
            "0.5 {\"type\": \"sum\", \"terms\": [{\"type\": \"${loss%% *}\", \"weight\": 0.5}]}"; do
            got=$("$XENT" loss "${sum#* }" "$@" --grad sum.npy | value)
            awk "BEGIN { d = $got - ${sum%% *} * $alone; exit !(d < 1e-8 && d > -1e-8) }" || { echo "$sum: $got, $alone"; false; }
            [ "${sum%% *}" != 1 ] || cmp sum.npy alone.npy
        done
    done
    run "$XENT" loss '{"type": "sum", "terms": ["ce", "mw"]}' --logits z8.npy --targets y.npy --json
    [[ "$output" == '{"loss":'*',"per_sample":null}' ]]
    run "$XENT" loss '{"type": "sum", "terms": ["ce", "bias"]}' --logits z8.npy --targets y.npy --json
    [ "$status" -eq 2 ] && [[ "${#lines[@]}" -eq 1 && "$output" == *"bias needs features"* ]]
    run "$XENT" loss '{"type": "sum", "terms": ["ce", {"type": "sum", "terms": ["mse"]}]}' --logits z8.npy --targets y.npy
    [ "$status" -eq 2 ] && [[ "${#lines[@]}" -eq 1 && "$output" == *"terms[1]: sum wants values, the terms before it classes"* ]]
    run "$XENT" loss '{"type": "sum", "terms": ["entropy"]}' --logits z8.npy --json
    [ "$status" -eq 0 ]
}
