# xent export. What is in an ONNX file is tested by tests/test_train_onnx.c.

setup_file() {
    cd "$BATS_FILE_TMPDIR"
    "$XENT" train '{"data": {"type": "spirals", "count": 40, "test_count": 6}, "model": {"type": "mlp", "hidden": [4]}, "train": {"epochs": 1}}' -o run --quiet
    "$XENT" train '{"data": {"type": "markov-text", "count": 600, "val_count": 50, "test_count": 50, "length": 8}, "model": {"type": "transformer", "layers": 1, "width": 8, "heads": 2}, "train": {"epochs": 1}}' -o text --quiet
}

setup() { cd "$BATS_FILE_TMPDIR"; }

@test "a safetensors file is a run of its own" {
    [ "$("$XENT" export run --format safetensors)" = run/model.safetensors ]
    [ "$("$XENT" predict run/model.safetensors)" = "$("$XENT" predict run)" ]
    "$XENT" export run --format safetensors --dequantize -o f32.safetensors --quiet
    [ "$("$XENT" predict f32.safetensors)" = "$("$XENT" predict run)" ]
}

@test "--dequantize leaves nothing of a quantization" {
    "$XENT" quantize run '{"quantize": {"type": "rtn", "bits": 8}}' -o quantized --quiet > /dev/null
    "$XENT" export quantized --format safetensors -o q8.safetensors --quiet
    "$XENT" export quantized --format safetensors --dequantize -o q32.safetensors --quiet
    [ "$("$XENT" predict q8.safetensors)" = "$("$XENT" predict quantized)" ]
    grep -qa head.weight.quantized q8.safetensors
    run grep -qa quantiz.tion q32.safetensors
    [ "$status" -eq 1 ]
    "$XENT" predict q32.safetensors > /dev/null
    "$XENT" export quantized --format onnx -o q.onnx --quiet
}

@test "an ONNX file names its producer, input and output" {
    run "$XENT" export run --format onnx -o model.onnx --json
    [ "$output" = '{"format":"onnx","output":"model.onnx","parameters":22}' ]
    grep -qa xent model.onnx
    grep -qa input model.onnx
    grep -qa logits model.onnx
    grep -qa head.weight model.onnx
}

@test "a layer without translation is named" {
    run "$XENT" export text --format onnx
    [ "$status" -eq 1 ]
    [ "$output" = "xent: text/checkpoints/best.safetensors: layer embedding: embedding has no translation to ONNX" ]
    [ ! -e text/model.onnx ]
}

@test "a file that is there stays, and so does the model" {
    echo kept > there.onnx
    run "$XENT" export run --format onnx -o there.onnx
    [ "$status" -eq 2 ]
    [ "$(cat there.onnx)" = kept ]
    "$XENT" export run --format onnx -o there.onnx --force --quiet
    run "$XENT" export run --format safetensors -o run/checkpoints/best.safetensors --force
    [ "$status" -eq 2 ]
}

@test "wrong command lines are exit 2" {
    for words in "" "--format" "--format tflite" "--format onnx -o ."; do
        run "$XENT" export run $words
        [ "$status" -eq 2 ]
        [ "${#lines[@]}" -eq 1 ]
    done
}
