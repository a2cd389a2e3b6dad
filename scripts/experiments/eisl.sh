#!/bin/sh
# The edit-invariant sequence loss (Liu et al. 2022), in miniature: sentences of 10 of 20 words and their translation word
# for word, of which 2000 are trained on with noisy targets. All words are predicted at once, by one linear layer that sees
# 7 of them; 500 steps of cross-entropy, then 1000 more, or 1000 of eisl with n-grams of 1 and 2 (weights 0.8 and 0.2) or
# of 2, 3 and 4 (equal ones).
#     eisl.sh [-o FOLDER] [--seeds N] [--quick]
# Prints a Markdown table of BLEU-4 (from 0 to 1) on clean test sentences, means and 95% intervals over seeds 101, 102, ...
# Fails when an effect is absent: without noise both eisl are within 0.01 of ce in the mean; with each word doubled with
# probability 0.3, and with the whole target shuffled, eisl with 1 and 2 is at least 0.2 above ce, and with repetition of
# 0.6, all shuffled and 0.6 of the words blank it is above eisl with 2, 3 and 4; each with the interval of the paired
# differences above 0. --quick runs two kinds of noise with 2 seeds, and looks for the effect of repetition alone.
set -eu
cd "$(dirname "$0")/../.."
. scripts/experiments/shared.sh

folder=runs/eisl seeds=5 quick=
experiment_options "$@"

cells="none-0 repetition-0.3 repetition-0.6 shuffle-0.8 shuffle-1 blank-0.6" warm=500 steps=1000
[ -z "$quick" ] || { seeds=2 cells="none-0 repetition-0.3" warm=100 steps=200; }
last=$((100 + seeds))
config='{"data": {"type": "translation", "count": 2000, "test_count": 500},
         "model": {"type": "sequential", "head": false, "layers": ["one_hot", "transpose",
                   {"type": "convolution", "channels": 21, "kernel": [7]}, "transpose"]},
         "optimizer": {"type": "adam", "lr": 0.02}, "metrics": ["bleu", "exact_match"],
         "train": {"batch_size": 64, "report": false}}'

loss_of() {
    case $1 in
    ce) echo '"ce"' ;;
    eisl-1-2) echo '{"type": "eisl", "ngrams": [1, 2], "weights": [0.8, 0.2]}' ;;
    eisl-2-3-4) echo '{"type": "eisl", "ngrams": [2, 3, 4]}' ;;
    esac
}
figures() { # ARM CELL: one a seed
    for seed in $(seq 101 "$last"); do json "$folder/$1-$2-$seed/summary.json" metrics test bleu; done
}

echo "| noise of the targets | ce | eisl of 1, 2 | eisl of 2, 3, 4 |"
echo "|---|---|---|---|"
for cell in $cells; do
    line="| ${cell%-*} ${cell#*-} |"
    for seed in $(seq 101 "$last"); do
        noisy="--set data.noise=${cell%-*} --set data.noise_level=${cell#*-} --seed $seed"
        train "$folder/warm-$cell-$seed" train "$config" --set loss=ce --set train.steps=$warm $noisy
        for arm in ce eisl-1-2 eisl-2-3-4; do
            train "$folder/$arm-$cell-$seed" train "$config" --set "loss=$(loss_of $arm)" --set train.steps=$steps \
                --set "train.init_from=$folder/warm-$cell-$seed/checkpoints/last.safetensors" $noisy
        done
    done
    for arm in ce eisl-1-2 eisl-2-3-4; do
        line="$line $(figures $arm "$cell" | interval | awk '{ printf "%.3f [%.3f, %.3f]", $1, $2, $3 }') |"
    done
    echo "$line"
done

failed=0
# apart BETTER WORSE CELL LEAST: the mean difference is above LEAST, its interval above 0.
apart() {
    difference=$(paired "$(figures "$1" "$3")" "$(figures "$2" "$3")")
    echo "BLEU of $1 - $2, $3: $difference" >&2
    set -- "$@" $difference
    { above "$5" "$4" && above "$6" 0; } || { echo "eisl.sh: with $3 $1 is not $4 above $2" >&2; failed=1; }
}
# alike ARM: without noise as good as ce.
alike() {
    set -- "$1" $(paired "$(figures "$1" none-0)" "$(figures ce none-0)")
    { above "$2" -0.01 && below "$2" 0.01; } || { echo "eisl.sh: without noise $1 is $2 from ce" >&2; failed=1; }
}
if [ -n "$quick" ]; then
    above "$(figures eisl-1-2 repetition-0.3 | interval | cut -d ' ' -f 1)" "$(figures ce repetition-0.3 | interval | cut -d ' ' -f 1)" ||
        { echo "eisl.sh: with repetition-0.3 eisl-1-2 is not above ce" >&2; failed=1; }
    exit $failed
fi
alike eisl-1-2
alike eisl-2-3-4
apart eisl-1-2 ce repetition-0.3 0.2
apart eisl-1-2 ce shuffle-1 0.2
apart eisl-1-2 eisl-2-3-4 repetition-0.6 0
apart eisl-1-2 eisl-2-3-4 shuffle-1 0
apart eisl-1-2 eisl-2-3-4 blank-0.6 0
exit $failed
