# Training and evaluation under attack.

config='{"data": {"type": "glyphs", "count": 120, "val_count": 30, "test_count": 40, "size": 16},
         "model": {"type": "mlp", "hidden": [16], "norm": "batch_norm", "dropout": 0.1},
         "train": {"batch_size": 20, "epochs": 2, "accumulate": 2, "report": false}, "metrics": ["accuracy"]}'

setup() {
    cd "$BATS_TEST_TMPDIR"
}

# figure NAME < {"metrics": {..., "NAME": VALUE}}
figure() {
    tr -d ' \t\n' | sed -n "s/.*\"metrics\":{[^}]*\"$1\":\([-0-9.e+]*\).*/\1/p"
}

@test "under attack 1 + 1 epochs are 2, for any number of threads" {
    for objective in pgd_at trades adv_comp_sum; do
        set -- --set "objective={\"type\": \"$objective\", \"attack\": {\"iters\": 2, \"restarts\": 2}}" --quiet
        "$XENT" train "$config" "$@" -o whole --threads 1
        "$XENT" train "$config" "$@" --set train.epochs=1 -o parts --threads 4
        "$XENT" train "$config" "$@" --resume -o parts --threads 2
        cmp whole/checkpoints/last.safetensors parts/checkpoints/last.safetensors
        "$XENT" train "$config" "$@" --set objective.attack.eps=0 -o still
        run cmp -s whole/checkpoints/last.safetensors still/checkpoints/last.safetensors
        [ "$status" -eq 1 ]
        rm -r whole parts still
    done
}

@test "eval under attack: two figures with intervals, the same for any number of threads, beside the metrics" {
    "$XENT" train "$config" --set train.epochs=20 --set train.accumulate=1 --quiet -o run
    attack='{"attack": {"eps": 0.02, "step": 0.005, "iters": 5, "restarts": 2}}'
    "$XENT" eval run "$attack" --json --threads 1 -o out > one
    "$XENT" eval run "$attack" --json --threads 4 > four
    cmp one four
    grep -q '"ci":{.*"robust_accuracy":\[.*"smooth_term":\[' one
    awk -v clean="$(figure accuracy < one)" -v robust="$(figure robust_accuracy < one)" -v term="$(figure smooth_term < one)" \
        'BEGIN { exit !(robust <= clean && clean > 0.2 && term > 0) }'
    grep -q robust_accuracy out/evaluation.json
    "$XENT" eval run --set attack.eps=0 --json > still
    [ "$(figure accuracy < still)" = "$(figure robust_accuracy < still)" ]
    [ "$(figure smooth_term < still)" = 0 ]
    "$XENT" eval run --set attack.random_start=false --json > centre
    [ -n "$(figure robust_accuracy < centre)" ]
    ! grep -q smooth_term centre
}

@test "a model that diverges under attack says where" {
    run "$XENT" train "$config" --set objective=trades --set optimizer.lr=1e38 --quiet -o run
    [ "$status" -eq 1 ]
    [[ "$output" == *"the loss is not finite at step"*", first in layers.0"* ]]
}
