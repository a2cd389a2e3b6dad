# xent distill, and xent calibrate of a trained model.

setup_file() {
    cd "$BATS_FILE_TMPDIR"
    "$XENT" train '{"data": {"type": "gaussian-mixture", "count": 600, "val_count": 300, "test_count": 300}, "model": {"type": "mlp", "hidden": [32]},
        "train": {"epochs": 4, "batch_size": 32, "report": false}}' -o teacher --quiet
    echo '{"data": {"type": "gaussian-mixture", "count": 600, "val_count": 300, "test_count": 300}, "model": {"type": "mlp", "hidden": [4]},
        "distill": {"type": "kd", "teacher": "teacher"}, "train": {"epochs": 2, "batch_size": 32, "report": false}}' > student.json
}

setup() { cd "$BATS_FILE_TMPDIR"; }

@test "distill trains a student that differs from the one trained alone" {
    "$XENT" distill student.json -o distilled --quiet
    "$XENT" train student.json -o alone --quiet
    [ -f distilled/summary.json ]
    ! cmp -s distilled/checkpoints/last.safetensors alone/checkpoints/last.safetensors
}

@test "without divergence from the teacher it is the student alone" {
    "$XENT" distill student.json -o same --set distill.kd_weight=0 --set distill.ce_weight=1 --quiet
    "$XENT" train student.json -o plain --quiet
    "$XENT" eval same --json --resamples 0 > a.json
    "$XENT" eval plain --json --resamples 0 > b.json
    cmp a.json b.json
}

@test "distill resumes to the same bits" {
    "$XENT" distill student.json -o whole --quiet
    "$XENT" distill student.json -o part --set train.epochs=1 --quiet
    "$XENT" distill student.json -o part --resume --quiet
    cmp whole/checkpoints/last.state.safetensors part/checkpoints/last.state.safetensors
}

@test "distill refuses what it cannot do, and leaves nothing" {
    run "$XENT" distill '{"data": "spirals", "model": "mlp"}' -o x
    [ "$status" -eq 2 ]
    [[ "$output" == *'missing key "distill"'* ]]
    run "$XENT" distill student.json --set distill.teacher=nowhere -o x
    [ "$status" -eq 1 ]
    [[ "$output" == "xent: "*"nowhere"* ]]
    run "$XENT" distill student.json --set data=spirals -o x
    [ "$status" -eq 1 ]
    [[ "$output" == *"distill.teacher"* ]]
    run "$XENT" distill student.json --set distill.temperature=0 -o x
    [ "$status" -eq 2 ]
    [ ! -e x ]
}

@test "calibrate of a run: the calibration travels in the checkpoint" {
    "$XENT" calibrate teacher '{"calibrate": "temperature"}' -o calibrated --json > figures.json
    [ -f calibrated/calibration.json ]
    [ -f calibrated/config.json ]
    after=$(sed 's/.*"after":{[^}]*"nll":\([0-9.]*\).*/\1/' figures.json)
    "$XENT" eval calibrated --json --resamples 0 > eval.json
    grep -q "\"nll\":$after" eval.json
    "$XENT" eval calibrated/checkpoints/best.safetensors --json --resamples 0 | cmp - eval.json
}

@test "reports show the teacher and the calibration" {
    "$XENT" calibrate teacher '{"calibrate": "temperature"}' -o reported > /dev/null
    "$XENT" report reported
    grep -q "Fitted calibrator" reported/report.html
    ! grep -q "has not ended" reported/report.html
    "$XENT" distill student.json -o shown --set train.report=true --quiet
    grep -q "Distillation" shown/report.html
}

@test "calibrate of a run refuses to overwrite, and what it cannot do" {
    "$XENT" calibrate teacher '{"calibrate": "temperature"}' -o taken --quiet > /dev/null
    run "$XENT" calibrate teacher '{"calibrate": "temperature"}' -o taken
    [ "$status" -eq 2 ]
    [[ "$output" == *"--force"* ]]
    run "$XENT" calibrate teacher '{"calibrate": "temperature"}' -o teacher --force
    [ "$status" -eq 2 ]
    run "$XENT" calibrate teacher '{"seed": 1}'
    [ "$status" -eq 2 ]
    [[ "$output" == *'missing key "calibrate"'* ]]
    run "$XENT" calibrate teacher '{"calibrate": "temperature", "data": "spirals"}' -o y
    [ "$status" -eq 1 ]
    [ ! -e y ]
}

@test "calibrate does not replace the checkpoint it reads" {
    cp -r teacher own
    run "$XENT" calibrate own/checkpoints/best.safetensors '{"calibrate": "temperature"}' -o own --force
    [ "$status" -eq 2 ]
    cmp own/checkpoints/best.safetensors teacher/checkpoints/best.safetensors
}

@test "calibrate keeps what others wrote and what is read through a link, and a failure leaves no folder" {
    mkdir other
    echo mine > other/evaluation.json
    run "$XENT" calibrate teacher '{"calibrate": "temperature"}' -o other
    [ "$status" -eq 2 ]
    [ "$output" = "xent: other/evaluation.json: exists; --force replaces it" ]
    [ "$(cat other/evaluation.json)" = mine ]
    cp -r teacher linked
    cp -r teacher target
    ln -sf "$PWD/target/checkpoints/best.safetensors" linked/checkpoints/best.safetensors
    for command in calibrate quantize; do
        run "$XENT" $command linked '{"calibrate": "temperature", "quantize": "rtn"}' -o target --force
        [ "$status" -eq 2 ]
        cmp target/checkpoints/best.safetensors teacher/checkpoints/best.safetensors
    done
    run bash -c 'ulimit -f 1; "$0" calibrate teacher "{\"calibrate\": \"temperature\"}" -o full' "$XENT"
    [ "$status" -eq 1 ]
    [ ! -e full ]
}
