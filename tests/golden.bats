# Losses of 20 steps and of a final evaluation, from the same initial weights and batches as PyTorch's: see
# scripts/golden/make.py, which made the files and is not needed here.

# Numbers on lines of their own, one for each step and one for the evaluation.
expected() {
    grep -Eo '^-?[0-9][0-9.e+-]*' "$BATS_TEST_DIRNAME/golden/$1.losses.json"
}

logged() {
    sed -n 's/.*"split":"\(train\|test\)","loss":\([-0-9.e+]*\).*/\2/p' "$BATS_TEST_TMPDIR/$1/metrics.jsonl"
}

# Relative 1e-4, for all 21 numbers.
same_losses() {
    "$XENT" train "$BATS_TEST_DIRNAME/golden/$1.json" -o "$BATS_TEST_TMPDIR/$1" --quiet "${@:2}"
    paste <(expected "$1") <(logged "$1") | awk '
        NF == 2 { off = ($1 - $2) / $1; if (off < 0) off = -off; if (off < 1e-4) good++; else print }
        END { print good + 0 " of " NR " agree"; exit !(good == 21 && NR == 21) }'
}

@test "golden: an mlp under adam" {
    same_losses mlp
}

@test "golden: a cnn with batch norm under sgd with momentum" {
    same_losses cnn
}

@test "golden: a residual cnn with a shortcut that is a convolution" {
    same_losses residual
}

@test "golden: a transformer with tied embeddings under adamw" {
    same_losses transformer
}

@test "golden: a transformer with rotary positions, rms norm, swiglu and shared heads" {
    same_losses rotary
}

@test "golden: another learning rate does not agree" {
    run same_losses mlp --set optimizer.lr=0.011
    [ "$status" -eq 1 ]
    [[ "$output" == *" of 21 agree"* ]]
}
