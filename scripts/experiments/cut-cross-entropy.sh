#!/bin/sh
# Cut cross-entropy beside the dense one (Wijmans et al. 2024), in miniature: a decoder of width 128 that learns the
# 10,000 words of the Penn Treebank from 1,024 tokens a step.
#     cut-cross-entropy.sh [-o FOLDER] [--seeds N] [--quick]
# Prints a Markdown table of losses on training and test text, of the peak of memory and of the speed, means and 95%
# intervals over seeds 101, 102, ... Fails when an effect is absent: with the filter "auto" the test loss is within
# 0.001 nats of the dense one for every seed, and the peak is lower by at least what the logits take. That with 2^-12 is
# reported: from scratch it is meant to differ, because a flat softmax is below it. Without XENT_SHARED_DATA the text
# is a generated one of few words, and only the losses are held to each other. --quick does so, in 20 steps.
set -eu
cd "$(dirname "$0")/../.."
. scripts/experiments/shared.sh

folder=runs/cut-cross-entropy seeds=3 quick=
experiment_options "$@"

steps=300 width=128 batch=16 words=
if [ -z "$quick" ] && [ -n "${XENT_SHARED_DATA:-}" ] && [ -e "$XENT_SHARED_DATA/ptb" ]; then
    words=10000
    data="\"type\": \"text\", \"path\": \"$XENT_SHARED_DATA/ptb/ptb.train.txt.gz\", \"shares\": [0.98, 0.01, 0.01],
          \"tokenizer\": {\"type\": \"word\", \"vocabulary\": $words, \"punctuation\": false}, \"length\": 64"
else
    [ -z "$quick" ] || { seeds=2 steps=20 width=16 batch=4; }
    data='"type": "markov-text", "count": 30000, "val_count": 500, "test_count": 2000, "classes": 64, "length": 64'
fi
last=$((100 + seeds))
config="{\"data\": {$data}, \"model\": {\"type\": \"transformer\", \"layers\": 2, \"width\": $width, \"heads\": 2},
         \"optimizer\": {\"type\": \"adamw\", \"lr\": 0.002}, \"schedule\": {\"type\": \"cosine\", \"warmup\": 20},
         \"train\": {\"steps\": $steps, \"batch_size\": $batch, \"eval_batch_size\": 2, \"log_every\": $steps,
                     \"report\": false}}"

# "ce" alone would be cut as well where words are many; as a term of a sum its logits are formed.
loss_of() {
    case $1 in
    dense) echo '{"type": "sum", "terms": ["ce"]}' ;;
    exact) echo '{"type": "cce", "filter_eps": null}' ;;
    auto) echo '{"type": "cce"}' ;;
    paper) echo '{"type": "cce", "filter_eps": "paper"}' ;;
    unsorted) echo '{"type": "cce", "filter_eps": "paper", "sort_vocab": false}' ;;
    esac
}
figures() { # NAME KEY...: one a seed
    name=$1
    shift
    for seed in $(seq 101 "$last"); do json "$folder/$name-$seed/summary.json" "$@"; done
}
shown() { figures "$@" | interval | awk '{ printf "%.4f [%.4f, %.4f]", $1, $2, $3 }'; }
mean() { figures "$@" | interval | awk '{ printf "%.1f", $1 }'; }

echo "| loss | test loss, nats | peak, MB | windows a second |"
echo "|---|---|---|---|"
for name in dense exact auto paper unsorted; do
    for seed in $(seq 101 "$last"); do
        train "$folder/$name-$seed" train "$config" --set "loss=$(loss_of $name)" --seed "$seed"
    done
    peak=$(figures $name peak_memory_bytes | interval | awk '{ printf "%.1f", $1 / 1e6 }')
    echo "| $name | $(shown $name metrics test loss) | $peak | $(mean $name samples_per_second) |"
done

failed=0
for seed in $(seq 101 "$last"); do
    dense=$(json "$folder/dense-$seed/summary.json" metrics test loss)
    for name in exact auto; do
        cut=$(json "$folder/$name-$seed/summary.json" metrics test loss)
        away=$(awk -v a="$dense" -v b="$cut" 'BEGIN { d = a - b; print d < 0 ? -d : d }')
        below "$away" 0.001 || { echo "cut-cross-entropy.sh: $name is $away nats from dense, seed $seed" >&2; failed=1; }
    done
done
if [ -n "$words" ]; then
    saved=$(paired "$(figures dense peak_memory_bytes)" "$(figures auto peak_memory_bytes)")
    echo "bytes saved: $saved" >&2
    above "${saved%% *}" $((4 * words * batch * 64)) ||
        { echo "cut-cross-entropy.sh: the logits are not saved" >&2; failed=1; }
fi
exit $failed
