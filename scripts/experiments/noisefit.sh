#!/bin/sh
# Fine-tuning under noise in the hidden states (NoiseFiT, Khadangi et al. 2025), in miniature: a small transformer that
# knows a Markov chain of order 2 from 40000 tokens is trained on with 4000 of them, plainly (basefit), with noise in its
# embeddings (neftune), with cross-entropy of noisy passes (ce_noisy), and with all of NoiseFiT's terms (full), for the
# same number of steps; and full with deviations of the noise that have no gradient (detached).
#     noisefit.sh [-o FOLDER] [--seeds N] [--quick]
# Prints a Markdown table of the loss on test text (nats a token; the chain's entropy is its least value), and of what
# the noise of NoiseFiT does to the result: the divergence of noisy passes from the clean one, over the training text.
# Means and 95% intervals over seeds 301, 302, ... Fails when an effect is absent: the divergence of full is at most 0.7
# of that of basefit in the mean, with the interval of the paired differences below 0, and its test loss at most 0.02
# above. --quick only checks that everything runs.
# The noise grows faster than the hidden states, whose deviation and spread it multiplies. On the trial seeds 1 and 2 the
# divergence of detached was four times that of basefit: without a gradient through the deviations, larger hidden states
# look as if they helped, and bring more noise. The authors' code differentiates them, which full does here.
set -eu
cd "$(dirname "$0")/../.."
. scripts/experiments/shared.sh

folder=runs/noisefit seeds=5 quick=
experiment_options "$@"

count=40000 epochs=8 few=4000 steps=200
[ -z "$quick" ] || { seeds=2 count=2000 epochs=1 few=1000 steps=3; }
last=$((300 + seeds))
config='{"data": {"type": "markov-text", "order": 2, "classes": 12, "length": 32, "val_count": 0},
         "model": {"type": "transformer", "layers": 3, "width": 32, "heads": 2},
         "optimizer": {"type": "adam", "lr": 0.003}, "schedule": "cosine", "metrics": ["nll"],
         "train": {"batch_size": 16, "report": false, "log_every": 1}}'
noise='"deviation": 0.3, "layers": 3'

fine_tune() { # NAME LOSS OBJECTIVE SEED
    train "$folder/$1-$4" train "$config" --set "data.count=$few" --set "train.steps=$steps" --set optimizer.lr=0.001 \
        --set "train.init_from=$folder/base-$4/checkpoints/last.safetensors" --set "loss=$2" --set "objective=$3" --seed "$4"
    # the divergence alone, at learning rate 0
    train "$folder/measure-$1-$4" train "$config" --set "data.count=$few" --set train.epochs=1 --set optimizer.lr=0 \
        --set "train.init_from=$folder/$1-$4/checkpoints/last.safetensors" --seed "$4" \
        --set 'loss={"type": "noisefit", "mode": "kl_only"}' --set "objective={\"type\": \"noisy\", $noise}"
}
for seed in $(seq 301 "$last"); do
    train "$folder/base-$seed" train "$config" --set "data.count=$count" --set "train.epochs=$epochs" --seed "$seed"
    fine_tune basefit '"ce"' '"supervised"' "$seed"
    fine_tune neftune '"ce"' '{"type": "noisy", "noise": "embeddings"}' "$seed"
    fine_tune ce_noisy '{"type": "noisefit", "mode": "ce_noisy"}' "{\"type\": \"noisy\", \"detach_scale\": false, $noise}" "$seed"
    fine_tune full '"noisefit"' "{\"type\": \"noisy\", \"detach_scale\": false, $noise}" "$seed"
    fine_tune detached '"noisefit"' "{\"type\": \"noisy\", $noise}" "$seed"
done

losses() { for seed in $(seq 301 "$last"); do json "$folder/$1-$seed/summary.json" metrics test nll; done; }
divergences() {
    for seed in $(seq 301 "$last"); do
        sed -n 's/.*"split":"train","loss":\([^,]*\),.*/\1/p' "$folder/measure-$1-$seed/metrics.jsonl" |
            awk '{ sum += $1 } END { print sum / NR }'
    done
}
shown() { interval | awk '{ printf "%.4f [%.4f, %.4f]", $1, $2, $3 }'; }
echo "| fine-tuning | test loss | divergence under noise |"
echo "|---|---|---|"
for name in basefit neftune ce_noisy full detached; do echo "| $name | $(losses $name | shown) | $(divergences $name | shown) |"; done
[ -z "$quick" ] || exit 0

failed=0
difference=$(paired "$(divergences full)" "$(divergences basefit)")
loss=$(paired "$(losses full)" "$(losses basefit)")
base=$(divergences basefit | interval | cut -d ' ' -f 1)
echo "full - basefit: divergence $difference, test loss $loss" >&2
set -- $difference $loss
{ below "$(divergences full | interval | cut -d ' ' -f 1)" "$(echo "$base" | awk '{ print 0.7 * $1 }')" && below "$3" 0; } ||
    { echo "noisefit.sh: the divergence of full is not below 0.7 of that of basefit" >&2; failed=1; }
below "$4" 0.02 || { echo "noisefit.sh: the test loss of full is more than 0.02 above that of basefit" >&2; failed=1; }
exit $failed
