#!/bin/sh
# The Z-loss beside its spherical siblings and cross-entropy (de Brebisson and Vincent 2016), in miniature: 100 Gaussian
# classes in 10 dimensions with clean labels, and 20 classes with 40% of the training labels drawn anew.
#     z-loss.sh [-o FOLDER] [--seeds N] [--quick]
# Prints a Markdown table of test accuracy and top-5 accuracy, means and 95% intervals over seeds 101, 102, ... Fails
# when an effect is absent: with 100 classes z_loss is at least 0.10 above mse_onehot in top-5 accuracy; with label
# noise it is above ce in accuracy; both with the interval of the paired differences above 0. The other siblings are
# reported. --quick only checks that everything runs.
set -eu
cd "$(dirname "$0")/../.."
. scripts/experiments/shared.sh

folder=runs/z-loss seeds=5 quick=
experiment_options "$@"

epochs=15 milestone=12 count=6000 noisy_count=2000 noisy_epochs=60 noisy_milestone=45 tests=4000
[ -z "$quick" ] || { seeds=2 epochs=1 milestone=1 noisy_epochs=1 noisy_milestone=1 count=300 noisy_count=200 tests=200; }
last=$((100 + seeds))
shared='"optimizer": {"type": "adam", "lr": 0.001}, "metrics": ["accuracy", "top5"]'
mixture="\"type\": \"gaussian-mixture\", \"dimensions\": 10, \"separation\": 4.472, \"val_count\": 0, \"test_count\": $tests"
clean="{\"data\": {$mixture, \"classes\": 100, \"count\": $count}, \"model\": {\"type\": \"mlp\", \"hidden\": [64]}, $shared,
        \"schedule\": {\"type\": \"step\", \"milestones\": [$milestone]},
        \"train\": {\"epochs\": $epochs, \"batch_size\": 64, \"report\": false}}"
noisy="{\"data\": {$mixture, \"classes\": 20, \"count\": $noisy_count, \"label_noise\": 0.38},
        \"model\": {\"type\": \"mlp\", \"hidden\": [256]}, $shared,
        \"schedule\": {\"type\": \"step\", \"milestones\": [$noisy_milestone]},
        \"train\": {\"epochs\": $noisy_epochs, \"batch_size\": 64, \"report\": false}}"

figures() { # DATA LOSS METRIC: one a seed
    for seed in $(seq 101 "$last"); do json "$folder/$1-$2-$seed/summary.json" metrics test "$3"; done
}
shown() { figures "$@" | interval | awk '{ printf "%.3f [%.3f, %.3f]", $1, $2, $3 }'; }

echo "| loss | accuracy, 100 classes | top-5 | accuracy, 20 classes with noise | top-5 |"
echo "|---|---|---|---|---|"
for loss in ce z_loss taylor_softmax spherical_softmax mse_onehot; do
    for seed in $(seq 101 "$last"); do
        train "$folder/clean-$loss-$seed" train "$clean" --set "loss=$loss" --seed "$seed"
        train "$folder/noisy-$loss-$seed" train "$noisy" --set "loss=$loss" --seed "$seed"
    done
    echo "| $loss | $(shown clean $loss accuracy) | $(shown clean $loss top5) |" \
        "$(shown noisy $loss accuracy) | $(shown noisy $loss top5) |"
done
[ -z "$quick" ] || exit 0

failed=0
difference() { # DATA A B METRIC LEAST
    mean=$(paired "$(figures "$1" "$2" "$4")" "$(figures "$1" "$3" "$4")")
    echo "$1: $4 of $2 - $3: $mean" >&2
    set -- "$2" "$3" "$5" $mean
    { above "$4" "$3" && above "$5" 0; } || { echo "z-loss.sh: $1 is not above $2" >&2; failed=1; }
}
difference clean z_loss mse_onehot top5 0.10
difference noisy z_loss ce accuracy 0
exit $failed
