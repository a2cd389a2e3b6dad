#!/bin/sh
# calibrate, distill and quantize on a small convolutional network: Fashion-MNIST where XENT_SHARED_DATA has it, else
# drawn digits.
#     fashion-three-commands.sh [-o FOLDER] [--seeds N] [--first SEED] [--quick]
# Runs seeds SEED (101) to SEED + N - 1. Their number (12) was fixed before any of them ran: adding seeds until an
# interval leaves 0 would find an effect where there is none. Earlier seeds served to choose the settings.
# Prints a Markdown table of means and 95% intervals over seeds, all measured on test images that nothing was fitted
# to. Fails when an effect is absent: temperature and vector scaling lower the calibration error; a small student
# under the network is better than the same student alone, from the same seed with the same steps; int8 keeps the
# accuracy within 0.2 points in about a quarter of the bytes. An effect over seeds is there when the 95% interval of
# the paired differences lies on its side of 0. Runs that are done are not run again. --quick only checks that
# everything runs and that int8 stays near f32, on a few drawn digits.
set -eu
cd "$(dirname "$0")/../.."
. scripts/experiments/shared.sh

folder=runs/fashion-three-commands seeds=12 first=101 quick=
while [ $# -gt 0 ]; do
    case $1 in
    --quick) quick=1; shift; continue ;;
    esac
    [ $# -ge 2 ] || usage
    case $1 in
    -o) folder=$2 ;;
    --seeds) seeds=$2 ;;
    --first) first=$2 ;;
    *) usage ;;
    esac
    shift 2
done
case $seeds in '' | *[!0-9]*) usage ;; esac
case $first in '' | *[!0-9]*) usage ;; esac
[ -n "$quick" ] && seeds=1
last=$((first + seeds - 1))
[ -n "$quick" ] || [ "$seeds" -ge 2 ] || { echo "fashion-three-commands.sh: intervals need two seeds" >&2; exit 2; }

# The student has 2000 of the network's training images. The data is divided by the seed of the data alone, so that
# no validation or test image of one is a training image of the other.
epochs=8 student_epochs=15 points=0.002
if [ -n "$quick" ]; then
    data='{"type": "glyphs", "count": 400, "val_count": 100, "test_count": 500, "data_seed": 1}'
    epochs=2 student_epochs=1 points=0.02
elif fashion; then
    data="{\"type\": \"idx\", \"path\": \"$XENT_SHARED_DATA/fashion-mnist\", \"split\": [0.9, 0.1], \"subset\": 12000, \"data_seed\": 1}"
else
    data='{"type": "glyphs", "count": 12000, "val_count": 2000, "test_count": 5000, "data_seed": 1}'
fi
network="{\"data\": $data, \"model\": {\"type\": \"cnn\", \"channels\": [16, 32], \"hidden\": [64]},
          \"optimizer\": {\"type\": \"adam\", \"lr\": 0.002},
          \"train\": {\"epochs\": $epochs, \"batch_size\": 64, \"report\": false}, \"metrics\": [\"accuracy\", \"ece\", \"nll\"]}"

for seed in $(seq "$first" "$last"); do
    at=$folder/$seed
    train "$at/network" train "$network" --seed "$seed"
    for method in temperature vector; do
        [ -s "$at/$method.json" ] || "$XENT" calibrate "$at/network" "{\"calibrate\": \"$method\"}" -o "$at/$method" \
            --force --json > "$at/$method.tmp"
        [ -s "$at/$method.json" ] || mv "$at/$method.tmp" "$at/$method.json"
    done
    set -- "$network" --set 'model={"type": "mlp", "hidden": [32]}' --set "train.epochs=$student_epochs" --seed "$seed"
    [ -n "$quick" ] || set -- "$@" --set data.subset=2000
    train "$at/alone" train "$@"
    train "$at/distilled" distill "$@" --set "distill={\"type\": \"kd\", \"teacher\": \"$at/network\"}"
    [ -s "$at/int8/checkpoints/best.safetensors" ] ||
        "$XENT" quantize "$at/network" '{"quantize": {"type": "rtn", "bits": 8}}' -o "$at/int8" --force --quiet > /dev/null
    [ -s "$at/int8.json" ] || "$XENT" eval "$at/int8" --json > "$at/int8.tmp"
    [ -s "$at/int8.json" ] || mv "$at/int8.tmp" "$at/int8.json"
done

accuracy() { json "$1/summary.json" metrics test accuracy; }
bytes() { wc -c < "$1/checkpoints/best.safetensors"; }

# Each prints a seed's figures: before, after.
calibration() { echo "$(json "$1/$2.json" before ece) $(json "$1/$2.json" after ece)"; }
students() { echo "$(accuracy "$1/alone") $(accuracy "$1/distilled")"; }
precision() { echo "$(accuracy "$1/network") $(json "$1/int8.json" metrics accuracy)"; }
size() { echo "$(bytes "$1/network") $(bytes "$1/int8")"; }

failed=0
# row NAME SIGN FIGURES...: SIGN + wants after above before, - below, = within `points`, / about a quarter; a word
# after the row says what became of it.
row() {
    name=$1 sign=$2
    shift 2
    for seed in $(seq "$first" "$last"); do "$1" "$folder/$seed" ${2:+"$2"}; done > "$folder/figures.tmp"
    before=$(cut -d' ' -f1 "$folder/figures.tmp" | interval)
    after=$(cut -d' ' -f2 "$folder/figures.tmp" | interval)
    difference=$(awk -v sign="$sign" '{ print sign == "/" ? $2 / $1 : $2 - $1 }' "$folder/figures.tmp" | interval)
    rm "$folder/figures.tmp"
    set -- $difference # mean, lower and upper end
    low=$2 high=$3 verdict=yes
    [ "$low" != - ] || { low=$1 high=$1; }
    case $sign in
    +) above "$low" 0 || verdict=no ;;
    -) below "$high" 0 || verdict=no ;;
    =) { above "$1" "-$points" && below "$1" "$points"; } || verdict=no ;;
    /) { above "$1" 0.2 && below "$1" 0.35; } || verdict=no ;;
    esac
    [ -z "$quick" ] || [ "$sign" = "=" ] || verdict="not asked"
    [ "$verdict" != no ] || failed=1
    echo "| $name | $(shown $before) | $(shown $after) | $(shown $difference) | $verdict |"
}
shown() { if [ "$2" = - ]; then printf '%.5g' "$1"; else printf '%.5g [%.5g, %.5g]' "$@"; fi; }

echo "Means and 95% intervals over $seeds seeds"
echo
echo "| | before | after | difference, or ratio | as it should be |"
echo "|---|---|---|---|---|"
row "ece, temperature" - calibration temperature
row "ece, vector" - calibration vector
row "accuracy, student alone and distilled" + students
row "accuracy, f32 and int8" = precision
row "bytes, f32 and int8" / size
[ $failed -eq 0 ] || echo "fashion-three-commands.sh: an effect is absent" >&2
exit $failed
