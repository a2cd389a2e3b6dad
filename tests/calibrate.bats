# xent calibrate on arrays, and xent eval that applies what it wrote.

load arrays

setup() {
    cd "$BATS_TEST_TMPDIR"
    # Eight rows [1, 0] in f4, of class 0 six times and of class 1 twice: sigmoid(1 / T) = 3/4, T = 1 / log 3
    row='\x00\x00\x80\x3f\x00\x00\x00\x00'
    npy z.npy '<f4' '8, 2' "$row$row$row$row$row$row$row$row"
    npy y.npy '|u1' 8 '\x00\x00\x00\x01\x00\x00\x00\x01'
    config='{"calibrate": {"type": "temperature", "holdout": 0}}'
}

@test "calibrate prints the method, its parameters, and metrics before and after" {
    run "$XENT" calibrate --logits z.npy --targets y.npy "$config" --json
    [ "$status" -eq 0 ]
    [[ "$output" == '{"method":"temperature","parameters":{"T":0.910239227},"before":{"accuracy":0.75,'*'"nll":0.563261688,'*'"after":{"accuracy":0.75,'*'"nll":0.562335145,'*'"n_fit":8,"n_eval":8,"predictions_changed":0}' ]]
    [ "$(ls)" = $'y.npy\nz.npy' ]
}

@test "the config is a file too, and 30% is held out unless it says otherwise" {
    echo '{"calibrate": "vector"} // a comment' > c.json
    run "$XENT" calibrate --logits z.npy --targets y.npy c.json --json
    [ "$status" -eq 0 ]
    [[ "$output" == '{"method":"vector","parameters":{"w":['*'"n_fit":6,"n_eval":2,'* ]]
    [ "$output" = "$("$XENT" calibrate --logits z.npy --targets y.npy c.json --json --threads 4)" ]
}

@test "eval DIR applies what calibrate -o DIR wrote" {
    "$XENT" calibrate --logits z.npy --targets y.npy "$config" -o a/b --json > out
    [ "$(ls a/b)" = calibration.json ]
    run "$XENT" eval a/b --logits z.npy --targets y.npy --resamples 0 --json --quiet
    [ "$status" -eq 0 ]
    [[ "$output" == *'"nll":0.562335145,'* ]]
    npy three.npy '<f4' '1, 3' '\x00\x00\x80\x3f\x00\x00\x00\x00\x00\x00\x00\x00'
    npy one.npy '|u1' 1 '\x00'
    run "$XENT" eval a/b --logits three.npy --targets one.npy
    [ "$status" -eq 1 ]
    [ "$output" = "xent: three.npy: 3 classes, but a/b/calibration.json was fitted to 2" ]
    echo '{"calibrate": "temperature", "classes": 2, "parameters": {"T": -1}}' > a/b/calibration.json
    run "$XENT" eval a/b --logits z.npy --targets y.npy
    [ "$status" -eq 1 ]
    [ "$output" = "xent: a/b/calibration.json: parameters: T: expected a number above 0, got -1" ]
    run "$XENT" eval nowhere --logits z.npy --targets y.npy
    [ "$status" -eq 1 ]
    [[ "$output" == "xent: nowhere/calibration.json: "* ]]
}

@test "a calibration that is there stays unless --force is given" {
    mkdir d
    echo mine > d/calibration.json
    run "$XENT" calibrate --logits z.npy --targets y.npy "$config" --output=d
    [ "$status" -eq 2 ]
    [ "$output" = "xent: d/calibration.json: exists; --force replaces it" ]
    [ "$(cat d/calibration.json)" = mine ]
    "$XENT" calibrate --logits z.npy --targets y.npy "$config" -o d --force
    grep -q '"T"' d/calibration.json
    echo "$config" > d/calibration.json
    run "$XENT" calibrate --logits z.npy --targets y.npy d/calibration.json -o d --force
    [ "$status" -eq 2 ]
    [[ "$output" == "xent: d/calibration.json: is the config itself" ]]
}

@test "bad input leaves nothing behind" {
    npy far.npy '|u1' 8 '\x00\x00\x00\x01\x00\x00\x00\x02'
    npy wrong.npy '|u1' 8 '\x01\x01\x01\x01\x01\x01\x01\x00'
    npy nan.npy '<f4' '1, 2' '\x00\x00\xc0\x7f\x00\x00\x00\x00'
    npy one.npy '|u1' 1 '\x00'
    npy single.npy '<f4' '1, 2' "$row"
    before=$(ls)
    fails() { # STATUS WORD... : one line that holds the last word
        local status_wanted=$1 last="${@: -1}"
        shift
        run "$XENT" calibrate "${@:1:$#-1}" -o out
        [ "$status" -eq "$status_wanted" ] && [ "${#lines[@]}" -eq 1 ] && [[ "$output" == "xent: "*"$last"* ]] || { echo "$* : $status: $output"; false; }
        [ "$(ls)" = "$before" ]
    }
    fails 1 --logits z.npy --targets far.npy "$config" "far.npy: target 2 at row 7"
    fails 1 --logits z.npy --targets wrong.npy "$config" "z.npy: temperature: the logits favour other classes"
    fails 1 --logits nan.npy --targets one.npy "$config" "nan.npy: row 0 is not finite"
    fails 1 --logits absent.npy --targets y.npy "$config" "absent.npy: "
    fails 1 --logits single.npy --targets one.npy '{"calibrate": "temperature"}' "single.npy: 1 samples are too few"
    fails 2 --logits z.npy --targets y.npy '{"calibrate": "temperatur"}' 'did you mean "temperature"?'
    fails 2 --logits z.npy --targets y.npy '{"calibrate": {"type": "temperature", "holdot": 1}}' 'did you mean "holdout"?'
    fails 2 --logits z.npy --targets y.npy '{"calibrate": {"type": "temperature", "holdout": 1}}' 'calibrate.holdout: expected a number between 0 and 0.99'
    fails 2 --logits z.npy --targets y.npy '{}' 'missing key "calibrate"'
    fails 2 --logits z.npy --targets y.npy absent.json "absent.json: "
    fails 2 --logits z.npy --targets y.npy "wrong number of words"
    fails 2 --logits z.npy "$config" "--targets FILE is missing"
    run "$XENT" calibrate --logits z.npy --targets y.npy "$config" -o z.npy
    [ "$status" -eq 2 ]
    [ "$output" = "xent: z.npy: not a folder" ]
    mkdir full && chmod 500 full
    if ! touch full/x 2>/dev/null; then
        run "$XENT" calibrate --logits z.npy --targets y.npy "$config" -o full/a
        [ "$status" -eq 1 ]
    fi
}

@test "separable classes: the temperature is at its bound, and that is said" {
    npy right.npy '|u1' 8 '\x00\x00\x00\x00\x00\x00\x00\x00'
    run bash -c '"$XENT" calibrate --logits z.npy --targets right.npy "{\"calibrate\": \"temperature\"}" --json 2>message'
    [ "$status" -eq 0 ]
    [[ "$output" == *'{"T":0.0001}'* ]]
    grep -q "^xent: temperature: every target has the largest logit" message
    run bash -c '"$XENT" calibrate --logits z.npy --targets right.npy "{\"calibrate\": \"temperature\"}" --quiet 2>&1 >/dev/null'
    [ -z "$output" ]
}

@test "every calibrator fits and reads back" {
    for name in $("$XENT" list calibrators | sed -n 's/^  \([a-z_]*\) .*/\1/p'); do
        "$XENT" calibrate --logits z.npy --targets y.npy "{\"calibrate\": {\"type\": \"$name\", \"holdout\": 0}}" -o "$name" --json --quiet > out
        after=$(sed 's/.*"after":.*"nll":\([^,]*\),.*/\1/' out)
        run "$XENT" eval "$name" --logits z.npy --targets y.npy --resamples 0 --json --quiet
        [[ "$output" == *"\"nll\":$after,"* ]] || { echo "$name: $output"; false; }
    done
}
