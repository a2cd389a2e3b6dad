#!/bin/sh
# The bias loss (Abrahamyan et al. 2021) in miniature: 2,000 drawn digits of 16 x 16 pixels, a fifth of them nearly blank
# with a random class, the tiny SkipNet.
#     bias-loss.sh [--fashion] [-o FOLDER] [--seeds N] [--quick]
# Prints a Markdown table of test accuracy, and of the mean weights of blank and of other samples in the second epoch, means
# and 95% intervals over seeds 201, 202, ..., for cross-entropy and the bias loss with both norms. As the weights are about
# 0.8 in the mean, which is a lower rate, cross-entropy is trained at the rate times that mean, too. Fails when an effect is
# absent: in the mean, the weights of blank samples are at least 0.03 below those of the others, and the accuracy of the
# bias loss is at least that of cross-entropy less 0.002. On seeds 201 to 208 the weights differ by 0.063 [0.054, 0.072],
# and accuracies do not: +0.000 [-0.005, 0.005], and at the lower rate +0.001 [-0.003, 0.005].
# The rate of 0.2 and the schedule were chosen on seeds 1 to 6, where accuracies of cross-entropy varied little between
# seeds; at a constant 0.05 they varied so much that nothing could be told (-0.009 [-0.112, 0.094]), and with a cosine from
# 0.1, where a lower rate is worse, it is -0.006 [-0.011, -0.001] on seeds 201 to 212, and beside cross-entropy at 0.8 of
# the rate -0.003 [-0.007, 0.001].
# --fashion: 10,000 images of Fashion-MNIST from XENT_SHARED_DATA in their place, none of them blank; nothing is held to
# figures, for which the expected difference is within the noise of seeds.
# --quick checks that everything runs, and the weights.
set -eu
cd "$(dirname "$0")/../.."
. scripts/experiments/shared.sh

folder=runs/bias-loss seeds=8 quick= fashion=
[ "${1:-}" != --fashion ] || { fashion=1 folder=runs/bias-loss-fashion; shift; }
experiment_options "$@"
epochs=12 count=2000 tests=2000 rate=0.2 schedule=cosine
[ -z "$quick" ] || { seeds=2 epochs=2 count=320 tests=100; }
last=$((200 + seeds))
data="{\"type\": \"glyphs\", \"size\": 16, \"count\": $count, \"val_count\": 0, \"test_count\": $tests, \"blank\": 0.2}"
if [ -n "$fashion" ]; then
    fashion || { echo "bias-loss.sh: XENT_SHARED_DATA names no folder with fashion-mnist" >&2; exit 1; }
    epochs=6 rate=0.05 schedule=constant
    data="{\"type\": \"idx\", \"path\": \"$XENT_SHARED_DATA/fashion-mnist\", \"subset\": 10000}"
fi
config="{\"data\": $data, \"model\": \"skipnet\", \"optimizer\": {\"type\": \"sgd\", \"lr\": $rate, \"momentum\": 0.9},
         \"schedule\": \"$schedule\", \"metrics\": [\"accuracy\"],
         \"train\": {\"epochs\": $epochs, \"batch_size\": 32, \"log_every\": 1, \"report\": false}}"

accuracies() { # RUN: one a seed
    for seed in $(seq 201 "$last"); do json "$folder/$1-$seed/summary.json" metrics test accuracy; done
}
weights() { # RUN FIGURE: the mean of the second epoch's batches, one a seed; none where it is not logged
    for seed in $(seq 201 "$last"); do
        sed -n "s/.*\"epoch\":1,.*\"$2\":\\([0-9.]*\\).*/\\1/p" "$folder/$1-$seed/metrics.jsonl" |
            awk '{ sum += $1 } END { if (NR) printf "%.6f\n", sum / NR }'
    done
}
mean_weight() { # of all batches of the bias loss, norm global, and of all seeds
    for seed in $(seq 201 "$last"); do sed -n 's/.*"weight_mean":\([0-9.]*\).*/\1/p' "$folder/global-$seed/metrics.jsonl"; done |
        awk '{ sum += $1 } END { print sum / NR }'
}
shown() { interval | awk '{ printf "%.3f [%.3f, %.3f]", $1, $2, $3 }'; }
row() { # RUN NAME CHANGES...
    variant=$1 words=$2
    shift 2
    for seed in $(seq 201 "$last"); do train "$folder/$variant-$seed" train "$config" "$@" --seed "$seed"; done
    printf '| %s | %s |' "$words" "$(accuracies "$variant" | shown)"
    for figure in weight_mean weight_marked weight_unmarked; do
        [ -n "$(weights "$variant" $figure)" ] && printf ' %s |' "$(weights "$variant" $figure | shown)" || printf ' |'
    done
    echo
}

echo "| loss | accuracy | mean weight | of blank samples | of others |"
echo "|---|---|---|---|---|"
row ce "ce" --set loss=ce
row global "bias, global" --set loss=bias
slower=$(awk -v rate="$rate" -v weight="$(mean_weight)" 'BEGIN { printf "%.4f", rate * weight }')
row slower "ce, the rate times the mean weight of global" --set loss=ce --set "optimizer.lr=$slower"
row local "bias, local" --set 'loss={"type": "bias", "norm": "local"}'
row no-skips "bias, global, without skip blocks" --set loss=bias --set 'model={"type": "skipnet", "skips": false}'

failed=0
least=-0.002
[ -z "$fashion$quick" ] || least=-
difference "accuracy of bias - ce" "$(accuracies global)" "$(accuracies ce)" $least
difference "accuracy of bias - ce at the rate times the mean weight" "$(accuracies global)" "$(accuracies slower)" -
difference "accuracy of bias, local - ce" "$(accuracies local)" "$(accuracies ce)" -
difference "accuracy of bias with skip blocks - without" "$(accuracies global)" "$(accuracies no-skips)" -
[ -n "$fashion" ] || for norm in global local; do
    difference "weight of others - blank, $norm" "$(weights $norm weight_unmarked)" "$(weights $norm weight_marked)" 0.03
done
exit $failed
