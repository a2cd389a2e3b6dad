#!/bin/sh
# Losses of classes under label noise: every one that trains with its defaults, on 6000 images of Fashion-MNIST where
# XENT_SHARED_DATA has it, else on drawn digits, with 0, 20, 40 and 60% symmetric and 40% asymmetric noise in the
# training labels. Accuracy is that of the last epoch on clean test images: there is no validation that could stop a
# run before it learns the noise.
#     noisy-labels.sh [-o FOLDER] [--seeds N] [--losses "NAME..."] [--quick] [--count | --only I]
# Prints a Markdown table of means and 95% intervals over seeds and writes FOLDER/noisy-labels.csv and a plot of it,
# FOLDER/noisy-labels.svg. Runs that are done are not run again. --count prints the number of jobs (a loss and a
# noise), --only I runs job I of 0, 1, ... and makes no table. Fails when gce or symmetric_ce is not above ce at 40%
# symmetric noise: the paired differences over seeds have an interval above 0.
set -eu
cd "$(dirname "$0")/../.."
. scripts/experiments/shared.sh

folder=runs/noisy-labels seeds=5 losses= quick= only= count=
while [ $# -gt 0 ]; do
    case $1 in
    --quick) quick=1; shift; continue ;;
    --count) count=1; shift; continue ;;
    esac
    [ $# -ge 2 ] || usage
    case $1 in
    -o) folder=$2 ;;
    --seeds) seeds=$2 ;;
    --losses) losses=$2 ;;
    --only) only=$2 ;;
    *) usage ;;
    esac
    shift 2
done
case $seeds$only in *[!0-9]*) usage ;; esac
[ "$seeds" -gt 0 ] || usage

noises="symmetric-0 symmetric-0.2 symmetric-0.4 symmetric-0.6 asymmetric-0.4"
epochs=20
glyphs='{"type": "glyphs", "count": 6000, "val_count": 0, "test_count": 2000}'
data=$glyphs
if [ -n "$quick" ]; then
    noises=symmetric-0.4 seeds=1 epochs=2
    losses=${losses:-ce gce symmetric_ce}
    data='{"type": "glyphs", "count": 400, "val_count": 0, "test_count": 200}'
elif fashion; then
    data="{\"type\": \"idx\", \"path\": \"$XENT_SHARED_DATA/fashion-mnist\", \"subset\": 6000}"
fi
config="{\"data\": $data, \"model\": {\"type\": \"mlp\", \"hidden\": [256]}, \"optimizer\": {\"type\": \"adam\", \"lr\": 0.001},
         \"train\": {\"epochs\": $epochs, \"batch_size\": 100, \"report\": false}, \"metrics\": [\"accuracy\"]}"

# Losses of classes (not of ids) that a run can be made with.
fitting_losses() {
    tried='{"data": {"type": "glyphs", "count": 2, "val_count": 0, "test_count": 0}, "model": "mlp", "train": {"epochs": 1}}'
    "$XENT" list losses --json | tr '{' '\n' | sed -n 's/^ *"name":[ \t]*"\([^"]*\)".*/\1/p' | while read -r name; do
        case $("$XENT" describe loss "$name" --json | tr -d ' \t\n') in
        *'"targets":"classes"'* | *'"targets":"classesorprobabilities"'*) ;;
        *) continue ;;
        esac
        if "$XENT" train "$tried" --set "loss=$name" --dry-run -o "$folder" > /dev/null 2>&1; then echo "$name"; fi
    done
}
[ -n "$losses" ] || losses=$(fitting_losses)

run_job() { # LOSS NOISE
    for seed in $(seq "$seeds"); do
        train "$folder/$1-$2-$seed" train "$config" --set "loss=$1" --set "data.noise_type=${2%-*}" \
            --set "data.label_noise=${2##*-}" --seed "$seed"
    done
}

jobs=0
for loss in $losses; do
    for noise in $noises; do
        [ -n "$count" ] || { [ -n "$only" ] && [ "$only" -ne $jobs ]; } || run_job "$loss" "$noise"
        jobs=$((jobs + 1))
    done
done
if [ -n "$count" ]; then
    echo $jobs
    exit
fi
if [ -n "$only" ]; then
    [ "$only" -lt $jobs ] || { echo "noisy-labels.sh: --only $only: there are jobs 0 to $((jobs - 1))" >&2; exit 2; }
    exit
fi

accuracies() { # LOSS NOISE: one a seed
    for seed in $(seq "$seeds"); do json "$folder/$1-$2-$seed/summary.json" metrics test accuracy; done
}

csv=$folder/noisy-labels.csv
echo "loss,noise,rate,seeds,accuracy,low,high" > "$csv.tmp"
echo "Test accuracy in %, mean and 95% interval over $seeds seeds"
echo
printf '| loss |'
for noise in $noises; do printf ' %s |' "$noise"; done
printf '\n|---|'
for noise in $noises; do printf '%s' '---|'; done
echo
for loss in $losses; do
    printf '| %s |' "$loss"
    for noise in $noises; do
        figures=$(accuracies "$loss" "$noise" | interval)
        echo "$loss,${noise%-*},${noise##*-},$seeds,$(echo "$figures" | sed 's/ - -$/ /; s/ /,/g; s/,$/,,/')" >> "$csv.tmp"
        echo "$figures" | awk '{ if ($2 == "-") printf " %.1f |", 100 * $1; else printf " %.1f [%.1f, %.1f] |", 100 * $1, 100 * $2, 100 * $3 }'
    done
    echo
done
mv "$csv.tmp" "$csv"
plot=$folder/noisy-labels.svg
awk -v ORDER=symmetric-0.4 -f scripts/experiments/interval-plot.awk "$csv" > "$plot.tmp"
mv "$plot.tmp" "$plot"
echo "noisy-labels.sh: $plot" >&2

# The effect: at 40% symmetric noise both robust losses are above ce, on the same seeds.
failed=0
for robust in gce symmetric_ce; do
    case " $(echo $losses) " in *" ce "*) ;; *) continue ;; esac
    case " $(echo $losses) " in *" $robust "*) ;; *) continue ;; esac
    [ "$seeds" -ge 2 ] || continue
    accuracies ce symmetric-0.4 > "$folder/ce.tmp"
    difference=$(accuracies "$robust" symmetric-0.4 | paste - "$folder/ce.tmp" | awk '{ print $1 - $2 }' | interval)
    rm "$folder/ce.tmp"
    set -- $difference
    echo "$robust - ce at 40% symmetric noise: $1 [$2, $3]" >&2
    above "$2" 0 || { echo "noisy-labels.sh: $robust is not above ce at 40% symmetric noise" >&2; failed=1; }
done
exit $failed
