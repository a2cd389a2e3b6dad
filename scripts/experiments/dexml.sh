#!/bin/sh
# Losses for a dual encoder over very many labels (Gupta et al., ICLR 2024), in miniature: 200 labels with features of
# their own, popular ones often, linear towers to 16 dimensions.
#     dexml.sh [-o FOLDER] [--seeds N] [--quick]
# Prints two Markdown tables of P@1, P@5 and PSP@5 on test samples, means and 95% intervals over seeds 101, 102, ...
# First the losses, with every label in every step (batches of 100, 40 epochs). Then decoupled_softmax in batches of 10
# over 10 epochs, compared with every label, with the labels of the batch, and with those and a hard one a sample: where
# a batch has few of the labels, the choice matters.
# Fails when an effect is absent: in the mean, P@1 of decoupled_softmax is at least 0.005 above softmax_multi and P@5 not
# below, and bce_multi is below both in P@1; P@1 with all labels is above that with the labels of the batch, with the
# interval of the paired differences above 0. No order is expected of soft_topk, whose advantage is claimed on large
# sets, and none of hard labels. --quick only checks that everything runs.
set -eu
cd "$(dirname "$0")/../.."
. scripts/experiments/shared.sh

folder=runs/dexml seeds=5 quick=
experiment_options "$@"

epochs=40 small_epochs=10 count=2500 tests=800
[ -z "$quick" ] || { seeds=2 epochs=1 small_epochs=1 count=200 tests=100; }
last=$((100 + seeds))
config="{\"data\": {\"type\": \"extreme-labels\", \"count\": $count, \"val_count\": 0, \"test_count\": $tests},
         \"model\": {\"type\": \"dual_encoder\", \"share\": false, \"dim\": 16, \"temperature\": 0.05},
         \"optimizer\": {\"type\": \"adam\", \"lr\": 0.005}, \"metrics\": [\"P@1\", \"P@5\", \"PSP@5\"],
         \"train\": {\"epochs\": $epochs, \"batch_size\": 100, \"report\": false}}"

run() { # NAME WORDS...: of every seed
    name=$1
    shift
    for seed in $(seq 101 "$last"); do train "$folder/$name-$seed" train "$config" --seed "$seed" "$@"; done
}
figures() { # NAME METRIC: one a seed
    for seed in $(seq 101 "$last"); do json "$folder/$1-$seed/summary.json" metrics test "$2"; done
}
shown() { figures "$@" | interval | awk '{ printf "%.3f [%.3f, %.3f]", $1, $2, $3 }'; }
row() { # NAME TEXT
    echo "| $2 | $(shown "$1" P@1) | $(shown "$1" P@5) | $(shown "$1" PSP@5) |"
}

echo "| loss | P@1 | P@5 | PSP@5 |"
echo "|---|---|---|---|"
for loss in softmax_multi decoupled_softmax soft_topk bce_multi; do
    run $loss --set "loss=$loss"
    row $loss $loss
done
echo
echo "| decoupled_softmax against | P@1 | P@5 | PSP@5 |"
echo "|---|---|---|---|"
negatives() { # NAME OBJECTIVE TEXT
    run "$1" --set loss=decoupled_softmax --set "objective=$2" --set train.batch_size=10 \
        --set train.epochs=$small_epochs --set optimizer.lr=0.002
    row "$1" "$3"
}
negatives all supervised "all labels"
negatives in_batch sampled_labels "labels of the batch"
negatives hard '{"type": "sampled_labels", "negatives": "hard"}' "labels of the batch, and a hard one a sample"
[ -z "$quick" ] || exit 0

failed=0
difference() { # A B METRIC LEAST: the mean of A - B is at least LEAST; "surely": the interval is above 0
    differences=$(paired "$(figures "$1" "$3")" "$(figures "$2" "$3")")
    echo "$3 of $1 - $2: $differences" >&2
    what="$3 of $1 is not $4 above $2" least=$4
    set -- $differences
    case $least in surely) set -- "$2" 1e-9 ;; *) set -- "$1" "$least" ;; esac
    ! below "$1" "$2" || { echo "dexml.sh: $what" >&2; failed=1; }
}
difference decoupled_softmax softmax_multi P@1 0.005
difference decoupled_softmax softmax_multi P@5 0
difference softmax_multi bce_multi P@1 0
difference decoupled_softmax bce_multi P@1 0
difference all in_batch P@1 surely
difference all hard P@1 -1
difference hard in_batch P@1 -1
exit $failed
