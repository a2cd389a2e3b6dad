#!/bin/sh
# Losses for a dual encoder over very many labels (Gupta et al., ICLR 2024), in miniature: 200 labels with features of
# their own, popular ones often, linear towers to 16 dimensions, every label in every step.
#     dexml.sh [-o FOLDER] [--seeds N] [--quick]
# Prints a Markdown table of P@1, P@5 and PSP@5 on test samples, means and 95% intervals over seeds 101, 102, ... Fails
# when an effect is absent: in the mean, P@1 of decoupled_softmax is at least 0.005 above softmax_multi and P@5 not below,
# and bce_multi is below both in P@1. No order is expected of soft_topk, whose advantage is claimed on large sets.
# --quick only checks that everything runs.
set -eu
cd "$(dirname "$0")/../.."
. scripts/experiments/shared.sh

folder=runs/dexml seeds=5 quick=
experiment_options "$@"

epochs=40 count=2500 tests=800
[ -z "$quick" ] || { seeds=2 epochs=1 count=200 tests=100; }
last=$((100 + seeds))
config="{\"data\": {\"type\": \"extreme-labels\", \"count\": $count, \"val_count\": 0, \"test_count\": $tests},
         \"model\": {\"type\": \"dual_encoder\", \"share\": false, \"dim\": 16, \"temperature\": 0.05},
         \"optimizer\": {\"type\": \"adam\", \"lr\": 0.005}, \"metrics\": [\"P@1\", \"P@5\", \"PSP@5\"],
         \"train\": {\"epochs\": $epochs, \"batch_size\": 100, \"report\": false}}"

figures() { # LOSS METRIC: one a seed
    for seed in $(seq 101 "$last"); do json "$folder/$1-$seed/summary.json" metrics test "$2"; done
}
shown() { figures "$@" | interval | awk '{ printf "%.3f [%.3f, %.3f]", $1, $2, $3 }'; }

echo "| loss | P@1 | P@5 | PSP@5 |"
echo "|---|---|---|---|"
for loss in softmax_multi decoupled_softmax soft_topk bce_multi; do
    for seed in $(seq 101 "$last"); do
        train "$folder/$loss-$seed" train "$config" --set "loss=$loss" --seed "$seed"
    done
    echo "| $loss | $(shown $loss P@1) | $(shown $loss P@5) | $(shown $loss PSP@5) |"
done
[ -z "$quick" ] || exit 0

failed=0
difference() { # A B METRIC LEAST: the mean of A - B is at least LEAST
    differences=$(paired "$(figures "$1" "$3")" "$(figures "$2" "$3")")
    echo "$3 of $1 - $2: $differences" >&2
    set -- "$3 of $1 is not $4 above $2" "$4" $differences
    ! below "$3" "$2" || { echo "dexml.sh: $1" >&2; failed=1; }
}
difference decoupled_softmax softmax_multi P@1 0.005
difference decoupled_softmax softmax_multi P@5 0
difference softmax_multi bce_multi P@1 0
difference decoupled_softmax bce_multi P@1 0
exit $failed
