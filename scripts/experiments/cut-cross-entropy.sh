#!/bin/sh
# Cut cross-entropy beside the dense one (Wijmans et al. 2024), in miniature: a decoder of width 128 that learns the
# 10,000 words of the Penn Treebank from 1,024 tokens a step.
#     cut-cross-entropy.sh [-o FOLDER] [--seeds N] [--quick]
# Prints a Markdown table of losses on training and test text, of the peak of memory and of the speed, means and 95%
# intervals over seeds 101, 102, ... Training is chaotic: a dense run whose learning rate is larger by one part in ten
# million ("nudged") goes its own way from some step on, and ends as far from the dense one as cut runs do. So an effect
# is absent, and the script fails, when the training loss with the filter "auto", or none, is not within 0.001 nats of
# the dense one up to half the step from which the nudged one is not (every seed); when the test losses differ by more
# than 0.001 nats and by more than their paired interval over seeds; or when the peak is not lower by at least what the
# logits take. That with 2^-12 is reported: from scratch it is meant to differ, because a flat softmax is below it.
# Without XENT_SHARED_DATA the text is a generated one of few words, and only the losses are held to each other. --quick
# does so, in 20 steps.
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
         \"train\": {\"steps\": $steps, \"batch_size\": $batch, \"eval_batch_size\": 2, \"log_every\": 1,
                     \"report\": false}}"

# "ce" alone would be cut as well where words are many; as a term of a sum its logits are formed.
loss_of() {
    case $1 in
    dense | nudged) echo '{"type": "sum", "terms": ["ce"]}' ;;
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
# departs A B: the first step whose training losses differ by more than 0.001 nats; one behind the last: none.
departs() {
    for run in "$1" "$2"; do
        sed -n 's/.*"step":\([0-9]*\),.*"split":"train","loss":\([^,}]*\).*/\1 \2/p' "$folder/$run/metrics.jsonl"
    done | awk -v steps="$steps" '
        !($1 in loss) { loss[$1] = $2; next }
        { d = loss[$1] - $2 }
        !found && (d > 0.001 || d < -0.001) { print $1; found = 1 }
        { seen++ }
        END { if (seen < steps) exit 1; if (!found) print steps + 1 }'
}
shown() { figures "$@" | interval | awk '{ printf "%.4f [%.4f, %.4f]", $1, $2, $3 }'; }
mean() { figures "$@" | interval | awk '{ printf "%.1f", $1 }'; }

echo "| loss | test loss, nats | peak, MB | windows a second |"
echo "|---|---|---|---|"
for name in dense nudged exact auto paper unsorted; do
    rate=0.002
    [ $name != nudged ] || rate=0.0020000002
    for seed in $(seq 101 "$last"); do
        train "$folder/$name-$seed" train "$config" --set "loss=$(loss_of $name)" --set optimizer.lr=$rate \
            --seed "$seed"
    done
    peak=$(figures $name peak_memory_bytes | interval | awk '{ printf "%.1f", $1 / 1e6 }')
    echo "| $name | $(shown $name metrics test loss) | $peak | $(mean $name samples_per_second) |"
done

failed=0
for name in exact auto; do
    for seed in $(seq 101 "$last"); do
        nudged=$(departs "dense-$seed" "nudged-$seed")
        cut=$(departs "dense-$seed" "$name-$seed")
        echo "seed $seed: 0.001 nats from dense: nudged from step $nudged on, $name from $cut on" >&2
        below $((nudged / 2)) "$cut" ||
            { echo "cut-cross-entropy.sh: $name leaves dense at step $cut, seed $seed" >&2; failed=1; }
    done
    away=$(paired "$(figures $name metrics test loss)" "$(figures dense metrics test loss)")
    echo "$name less dense, nats of the test text: $away" >&2
    echo "$away" | awk '{ exit ($1 > 0.001 && $2 > 0) || ($1 < -0.001 && $3 < 0) }' ||
        { echo "cut-cross-entropy.sh: $name is ${away%% *} nats from dense" >&2; failed=1; }
done
if [ -n "$words" ]; then
    saved=$(paired "$(figures dense peak_memory_bytes)" "$(figures auto peak_memory_bytes)")
    echo "bytes saved: $saved" >&2
    above "${saved%% *}" $((4 * words * batch * 64)) ||
        { echo "cut-cross-entropy.sh: the logits are not saved" >&2; failed=1; }
fi
exit $failed
