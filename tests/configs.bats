# Every config that comes with the program trains for a few steps. Those that read files are run where
# XENT_SHARED_DATA names a folder that holds them, and skipped elsewhere.

setup() {
    XENT=${XENT:-$PWD/build/xent}
    configs=$PWD/configs
    cd "$BATS_TEST_TMPDIR"
}

short="--set train.steps=2 --set train.epochs=1 --set train.batch_size=16 --quiet"

run_config() {
    name=$1
    shift
    "$XENT" train "$configs/$name.json" -o "$name" $short --set 'metrics=["loss"]' "$@"
    [ -f "$name/summary.json" ]
    [ -f "$name/checkpoints/best.safetensors" ]
}

shared() {
    [ -n "$XENT_SHARED_DATA" ] && [ -e "$XENT_SHARED_DATA/$1" ] || skip "no data"
}

@test "configs on generated data train" {
    for name in glyphs-cnn glyphs-sequential glyphs-trades glyphs-autoencoder shapes-resnet shapes-vit; do
        run_config $name --set data.count=64 --set data.val_count=32 --set data.test_count=32
    done
    for name in spirals-mlp gaussian-mixture-mlp tabular-mlp markov-transformer traders-ranking extreme-labels \
        translation-eisl clicks-fcn flows-gru; do
        run_config $name
    done
}

@test "glyphs-distill, calibrate-temperature and quantize-int8 work on a run of glyphs-cnn" {
    few="--set data.count=64 --set data.val_count=64 --set data.test_count=64"
    run_config glyphs-cnn $few
    "$XENT" distill "$configs/glyphs-distill.json" -o student $short $few --set distill.teacher=glyphs-cnn
    "$XENT" calibrate glyphs-cnn "$configs/calibrate-temperature.json" -o calibrated > /dev/null
    "$XENT" quantize glyphs-cnn "$configs/quantize-int8.json" -o small > /dev/null
    for run in student calibrated small; do
        "$XENT" eval "$run" --resamples 0 > /dev/null
    done
}

@test "fashion-mlp and fashion-cnn train on Fashion-MNIST" {
    shared fashion-mnist
    for name in fashion-mlp fashion-cnn; do
        run_config $name --set data.path="$XENT_SHARED_DATA/fashion-mnist" --set data.subset=64
    done
}

@test "mnist-cnn trains on MNIST" {
    shared mnist
    run_config mnist-cnn --set data.path="$XENT_SHARED_DATA/mnist" --set data.subset=64
}

@test "shakespeare-char trains on tiny Shakespeare" {
    shared tiny-shakespeare
    run_config shakespeare-char --set data.path="$XENT_SHARED_DATA/tiny-shakespeare/input.txt" --set 'data.shares=[0.99,0.01,0]'
}

@test "digits-csv, adult-tabular and housing-regression train on tables" {
    shared tables
    run_config digits-csv --set data.path="$XENT_SHARED_DATA/tables/digits.csv.gz"
    run_config adult-tabular --set data.path="$XENT_SHARED_DATA/tables/adult-train.csv.gz" \
        --set data.test_path="$XENT_SHARED_DATA/tables/adult-test.csv.gz"
    run_config housing-regression --set data.path="$XENT_SHARED_DATA/tables/california_housing.csv.gz"
}

@test "cifar-resnet trains on CIFAR-10" {
    shared cifar10
    run_config cifar-resnet --set data.path="$XENT_SHARED_DATA/cifar10" --set data.subset=64 --set train.eval_batch_size=100 --set train.report=false
}

@test "every config is in one of these tests" {
    for file in "$configs"/*.json; do
        name=$(basename "$file" .json)
        grep -q "$name" "$BATS_TEST_FILENAME" || { echo "$name"; false; }
    done
}
