#!/bin/sh
# Label-distributionally robust losses under label noise (Zhu, Ying and Yang, ICML 2023), in miniature: 20 Gaussian
# classes in 10 dimensions, 2000 training samples, 40% of whose labels are drawn anew from all classes, and a network
# that is trained long enough to memorise them.
#     ldr.sh [-o FOLDER] [--seeds N] [--quick]
# Prints a Markdown table of test accuracy on clean labels, means and 95% intervals over seeds 101, 102, ... Fails when
# an effect is absent: under noise ldr_kl and aldr_kl at lambda 3 are at least 0.08 above ce in the mean, with the
# interval of the paired differences above 0; lambda 3 is above 0.3 and above 10, so that the best lambda is inside
# the grid; without noise ldr_kl at lambda 1 is at most 0.02 below ce. --quick only checks that everything runs.
set -eu
cd "$(dirname "$0")/../.."
. scripts/experiments/shared.sh

folder=runs/ldr seeds=5 quick=
experiment_options "$@"

epochs=60 milestone=45 count=2000 tests=4000
[ -z "$quick" ] || { seeds=2 epochs=2 milestone=1 count=200 tests=200; }
last=$((100 + seeds))
# Means N(0, 1) a coordinate and deviations of 1 are 4.472 = sqrt(20) apart. A label drawn anew from 20 classes is
# another one 19 times in 20: 38% of labels change.
config="{\"data\": {\"type\": \"gaussian-mixture\", \"classes\": 20, \"dimensions\": 10, \"separation\": 4.472,
                    \"count\": $count, \"val_count\": 0, \"test_count\": $tests},
         \"model\": {\"type\": \"mlp\", \"hidden\": [256]}, \"optimizer\": {\"type\": \"adam\", \"lr\": 0.003},
         \"schedule\": {\"type\": \"step\", \"milestones\": [$milestone]},
         \"train\": {\"epochs\": $epochs, \"batch_size\": 64, \"report\": false}, \"metrics\": [\"accuracy\"]}"

run() { # NAME LOSS NOISE
    for seed in $(seq 101 "$last"); do
        train "$folder/$1-$3-$seed" train "$config" --set "loss=$2" --set "data.label_noise=$3" --seed "$seed"
    done
}
accuracies() { # NAME NOISE
    for seed in $(seq 101 "$last"); do json "$folder/$1-$2-$seed/summary.json" metrics test accuracy; done
}
row() { echo "| $1 | $2 | $(accuracies "$1" "$2" | interval | awk '{ printf "%.3f [%.3f, %.3f]", $1, $2, $3 }') |"; }

echo "| loss | labels changed | test accuracy |"
echo "|---|---|---|"
run ce '"ce"' 0.38
row ce 0.38
for lambda in 0.3 1 3 10; do
    run "ldr_kl-$lambda" "{\"type\": \"ldr_kl\", \"lambda\": $lambda}" 0.38
    row "ldr_kl-$lambda" 0.38
    run "aldr_kl-$lambda" "{\"type\": \"aldr_kl\", \"lambda0\": $lambda}" 0.38
    row "aldr_kl-$lambda" 0.38
done
run ce '"ce"' 0
row ce 0
run ldr_kl-1 '{"type": "ldr_kl", "lambda": 1}' 0
row ldr_kl-1 0
[ -z "$quick" ] || exit 0

failed=0
# difference A B NOISE LEAST [interval]: the mean of A - B is above LEAST and, where asked, its interval above 0.
difference() {
    figures=$(paired "$(accuracies "$1" "$3")" "$(accuracies "$2" "$3")")
    echo "$1 - $2 at noise $3: $figures" >&2
    set -- "$1 - $2" "$4" "${5:-}" $figures
    { above "$4" "$2" && { [ -z "$3" ] || above "$5" 0; }; } || { echo "ldr.sh: $1 is not above $2" >&2; failed=1; }
}
for loss in ldr_kl aldr_kl; do
    difference $loss-3 ce 0.38 0.08 interval
    difference $loss-3 $loss-0.3 0.38 0
    difference $loss-3 $loss-10 0.38 0
done
difference ldr_kl-1 ce 0 -0.02
exit $failed
