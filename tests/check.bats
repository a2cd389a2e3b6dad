# xent check.

setup() {
    cd "$BATS_TEST_TMPDIR"
    CONFIG='{"data": {"type": "spirals", "count": 40}, "model": {"type": "mlp", "hidden": [5]}, "train": {"epochs": 2, "batch_size": 16}}'
}

@test "check prints the config resolved, and the layers" {
    run "$XENT" check "$CONFIG"
    [ "$status" -eq 0 ]
    [[ "$output" == '{'* && "$output" == *'"lr":'* && "$output" == *'"type":'$'\t''"adam"'* ]]
    [[ "$output" =~ layers\.0\ +linear\ +\[5\]\ +15\  ]]
    [[ "$output" =~ head\ +linear\ +\[2\]\ +12\  ]]
    [[ "$output" =~ total\ .*\ 27\  ]]
}

@test "check --json is one object, and its config checks to the same" {
    run "$XENT" check "$CONFIG" --json
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ "$output" == '{"config":{'*'"layers":[{"name":"layers.0","type":"linear","depth":0,"output":[5],"parameters":15,"flops":20,"activation_bytes":20}'* ]]
    [[ "$output" == *'"totals":{"parameters":27,'*'"samples":{"train":40,'*'"steps_per_epoch":3,"steps":6}' ]]
    "$XENT" check "$CONFIG" | sed '/^$/,$d' > resolved.json
    [ "$("$XENT" check resolved.json --json)" = "$output" ]
}

@test "check touches nothing" {
    "$XENT" check "$CONFIG" > /dev/null
    [ -z "$(ls -A)" ]
}

@test "check and train find the same errors" {
    while IFS= read -r config; do
        run "$XENT" check "$config"
        local checked=$status said=$output
        run "$XENT" train "$config" -o run
        [ "$checked" -eq "$status" ] && [ "$status" -eq 2 ] || { echo "$config: $checked $status"; false; }
        [ "$said" = "$output" ] || { echo "$said / $output"; false; }
        [ ! -e run ]
    done <<'END'
{}
{"data": "spirals"}
{"data": "spirals", "model": "mpl"}
{"data": "spirals", "model": "mlp", "loss": "bce"}
{"data": "spirals", "model": "cnn"}
{"data": "spirals", "model": "mlp", "loss": {"typ": "ce"}}
{"data": "spirals", "model": "mlp", "train": {"epochs": -1}}
{"data": "spirals", "model": "mlp", "train": {"epochs": 1, "epochs": 2}}
{"data": "spirals", "model": {"type": "mlp", "hidden": ["x"]}}
{"data": "spirals", "model": "mlp", "train": {"seconds": 1}, "schedule": "cosine"}
{"data": "spirals", "model": "mlp", "train": {"transforms": ["flip"]}}
END
}

@test "a config of one section is checked without layers" {
    run "$XENT" check '{"calibrate": "temperature"}' --json
    [ "$status" -eq 0 ]
    [[ "$output" == *'"calibrate":{"type":"temperature"'* && "$output" != *'"layers"'* ]]
}

@test "data that is missing is exit 1, as in training" {
    run "$XENT" check '{"data": {"type": "csv", "path": "none.csv"}, "model": "mlp"}'
    [ "$status" -eq 1 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ "$output" == *none.csv* ]]
}
