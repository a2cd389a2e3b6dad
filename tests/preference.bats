# Learning from preferences: data, objective, checkpoints, and what goes wrong.

load runs

setup() {
    cd "$BATS_TEST_TMPDIR"
    for a in A B C D; do
        for b in A B C D; do
            [ $a = $b ] || echo "{\"prompt\": \"$a\", \"chosen\": \"$a$a$b\", \"rejected\": \"$b$b$b\", \"probability\": 0.9}"
        done
    done > pairs.jsonl
    config='{"data": {"type": "preferences", "path": "pairs.jsonl", "test_path": "pairs.jsonl", "length": 5},
             "model": {"type": "transformer", "layers": 1, "width": 16, "heads": 2, "positions": "rope"},
             "optimizer": {"type": "adam", "lr": 0.01}, "train": {"batch_size": 4, "epochs": 8, "report": false}}'
}

preference() {
    "$XENT" train "$config" --set objective=preference --set 'loss={"type": "spce", "beta": 0.5}' \
        --set train.init_from=before/checkpoints/last.safetensors --quiet "$@"
}

@test "a policy learns responses, then what is preferred among them" {
    "$XENT" train "$config" --quiet -o before
    above "$(figure accuracy < before/summary.json)" 0.4
    [ "$("$XENT" generate before --prompt A --tokens 3 --quiet | head -1 | cut -c 1)" = A ]
    preference --set train.epochs=30 -o spce
    above "$(figure implicit_accuracy < spce/summary.json)" 0.8
    above 0.3 "$(figure calibration < spce/summary.json)"
    above "$(figure kl_reference < spce/summary.json)" 0
    preference --set 'data.split=[0.75, 0.25]' -o parts
    grep -q '"split":"val","loss":[0-9.]*,"implicit_accuracy":' parts/metrics.jsonl
    grep -q '"split":"test","loss":[0-9.]*,"implicit_accuracy":' spce/metrics.jsonl
    "$XENT" generate spce --prompt B --tokens 3 --quiet > /dev/null
    "$XENT" eval spce --resamples 0 | grep -q '^  nll '
    preference --set loss=dpo --set objective='{"type": "preference", "samples": 0}' -o dpo
    [ -z "$(figure kl_reference < dpo/summary.json)" ]
}

@test "the reference is resumed, and may come from a file" {
    "$XENT" train "$config" --quiet -o before
    preference --set train.epochs=3 -o part
    preference --set train.epochs=8 -o part --resume
    preference -o whole
    cmp part/checkpoints/last.safetensors whole/checkpoints/last.safetensors
    cmp part/checkpoints/last.state.safetensors whole/checkpoints/last.state.safetensors
    # from the same weights by name the run is the same; a random policy held to them is another
    preference --set 'objective={"type": "preference", "reference": "before/checkpoints/last.safetensors"}' -o named
    [ "$(grep '"train"' named/metrics.jsonl)" = "$(grep '"train"' whole/metrics.jsonl)" ]
    preference --set train.init_from=null -o fresh --set \
        'objective={"type": "preference", "reference": "before/checkpoints/last.safetensors"}'
    [ "$(grep '"train"' fresh/metrics.jsonl)" != "$(grep '"train"' whole/metrics.jsonl)" ]
}

@test "a policy is evaluated as it was measured in training, against the reference that its run kept" {
    "$XENT" train "$config" --quiet -o before
    preference --set 'data.split=[0.75, 0.25]' -o run
    for split in val test; do
        "$XENT" eval run --split $split --resamples 0 --json > $split.json
        for name in loss implicit_accuracy calibration kl_reference response_tokens nll; do
            [ -n "$(figure $name < $split.json)" ]
        done
    done
    grep -q "\"loss\":$(figure loss < test.json),\"implicit_accuracy\":$(figure implicit_accuracy < test.json),\"cal" run/metrics.jsonl
    for name in loss implicit_accuracy kl_reference; do # the summary begins with those of val
        [ "$(figure $name < val.json)" = "$(figure $name < run/summary.json)" ]
    done
    run "$XENT" eval run --split test --resamples 0
    [[ "$output" == *"  implicit_accuracy "*"  kl_reference "*"  nll "* ]]
    # other pairs; other text has no pairs; a file alone has no reference unless it is named
    "$XENT" eval run '{"data": {"type": "preferences", "path": "pairs.jsonl", "length": 5}}' --resamples 0 | grep -q implicit
    run "$XENT" eval run '{"data": {"type": "preferences", "path": "pairs.jsonl", "length": 5, "responses": "chosen"}}' --resamples 0
    [[ "$status" -eq 0 && "$output" != *implicit* && "$output" == *nll* ]]
    cp run/checkpoints/best.safetensors alone.safetensors
    run "$XENT" eval alone.safetensors --resamples 0
    [[ "$output" == *"not measured as the objective preference does: ./last.state.safetensors is not there; name it with --set objective.reference=FILE"* ]]
    [[ "$output" != *implicit_accuracy* && "$output" == *nll* ]]
    "$XENT" eval alone.safetensors --set objective.reference=before/checkpoints/last.safetensors --resamples 0 --json > named.json
    [ "$(figure implicit_accuracy < named.json)" = "$(figure implicit_accuracy < test.json)" ]
    "$XENT" eval run -o out --resamples 0 > /dev/null
    grep -q '"kl_reference":' out/evaluation.json
    # a state of another model
    preference --set model.width=8 --set train.init_from=null -o other
    cp other/checkpoints/last.state.safetensors run/checkpoints/last.state.safetensors
    fails 1 '*last.state.safetensors: tensor objective.*' "$XENT" eval run
}

@test "a student of responses learns from a teacher where they are, and nowhere else" {
    "$XENT" train "$config" --quiet -o before
    student() { "$XENT" distill "$config" --set train.steps=20 --set 'distill={"type": "kd", "teacher": "before", "ce_weight": 0}' \
        --quiet "$@"; }
    student -o one
    # more padding behind the responses changes nothing of the first loss
    "$XENT" train "$config" --set data.length=9 --set train.steps=1 --set optimizer.lr=0 --quiet -o long \
        --set train.init_from=before/checkpoints/last.safetensors
    student --set data.length=9 --set distill.teacher=long -o two
    first() { sed -n 1p $1/metrics.jsonl | sed 's/.*"loss":\([0-9.]*\).*/\1/'; }
    awk -v a="$(first one)" -v b="$(first two)" 'BEGIN { exit !(a > 0 && a - b < 1e-5 && b - a < 1e-5) }'
}

@test "what preference cannot learn from" {
    fails 1 "*objective: preference wants pairs of responses*" "$XENT" train "$config" --set objective=preference \
        --set loss=dpo --set 'data.responses="chosen"' --quiet -o x
    fails 2 "*objective: preference wants pairs of responses*" "$XENT" train "$config" --set objective=preference \
        --set loss=dpo --set data=markov-text --quiet -o x
    fails 1 "*loss: preference wants a loss of preferences, spce or dpo; ce is none" "$XENT" train "$config" \
        --set objective=preference --set loss=ce --quiet -o x
    fails 1 "*loss: dpo wants none, the data has tokens" "$XENT" train "$config" --set loss=dpo --quiet -o x
    fails 1 "*loss: eisl compares a predicted sequence with a whole target*" "$XENT" train "$config" --set loss=eisl \
        --quiet -o x
    fails 1 "*objective.reference: *missing.safetensors: No such file*" "$XENT" train "$config" --set loss=dpo --quiet -o x \
        --set 'objective={"type": "preference", "reference": "missing.safetensors"}'
    fails 1 "*objective: factored_output wants a target at every position*" "$XENT" train "$config" --set loss=z_loss \
        --set objective=factored_output --quiet -o x
    "$XENT" train "$config" --set model.width=8 --quiet -o narrow
    fails 1 "*objective.reference: *narrow/checkpoints/last.safetensors: *" "$XENT" train "$config" --set loss=dpo \
        --set 'objective={"type": "preference", "reference": "narrow/checkpoints/last.safetensors"}' --quiet -o x
    echo '{"prompt": "A", "chosen": "Z", "rejected": "B"}' > other.jsonl
    fails 1 "*other.jsonl:1: chosen: byte 0: *" "$XENT" train "$config" --set data.test_path=other.jsonl --quiet -o x
    [ ! -e x/summary.json ]
}
