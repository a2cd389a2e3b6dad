#!/bin/sh
# New classes told by the mean directions of a few examples (Pereira et al. 2021), in miniature: a network is trained on
# some classes, by normalized_softmax, by its relatives with margins, and by cross-entropy with a plain head; then
# `xent analyze novel_classes` adds the others without training.
#     hyperspherical.sh [-o FOLDER] [--seeds N] [--quick]
# Prints Markdown tables, means and 95% intervals over seeds 201, 202, ...:
#   digits      digits 0 to 7 through one linear layer and one epoch, then 8 and 9 by all their training images (MNIST
#               where XENT_SHARED_DATA has it, else glyphs)
#   surface     8 of 12 Gaussian classes on a curved surface in 32 dimensions through 64 units and an embedding of 16, then
#               the others by 50 examples each, and by 5
#   rectified   the same, but with a rectifier after the embedding, as a perceptron's last hidden layer has it
# Columns: the accuracy on the first classes before; on all together, and its parts of the first and the new ones, and
# their harmonic mean; that of all classes by mean directions alone; and of the new ones among themselves by mean
# directions, and by their nearest neighbour.
# Fails when an effect is absent: the accuracy on new classes with normalized_softmax less that with ce is above 0 with its
# interval for digits, and 0.15 in the mean with the interval above 0 on the surface (50 examples); and with MNIST the
# bounds that are the official notebook's figures less some slack: 0.80 of all digits, 0.4 of each new one, 0.90 of
# T-shirts against trousers of Fashion-MNIST for the network that knows digits. --quick only checks that everything runs.
# What was chosen on seeds 1 to 4: the embedding must not be rectified (the paper's is linear; rectified ones share an
# orthant, so directions are near each other and a plain head takes samples of the first classes for new ones as well).
set -eu
cd "$(dirname "$0")/../.."
. scripts/experiments/shared.sh

folder=runs/hyperspherical seeds=8 quick=
experiment_options "$@"

count=4800 tests=3000 epochs=10 shots=50 glyphs=6000
[ -z "$quick" ] || { seeds=2 count=600 tests=120 epochs=1 shots=5 glyphs=300; }
last=$((200 + seeds))
mnist=${XENT_SHARED_DATA:-}/mnist
[ -z "$quick" ] && [ -e "$mnist" ] || mnist=
if [ -n "$mnist" ]; then
    images="\"type\": \"idx\", \"path\": \"$mnist\", \"normalize\": false"
else
    images="\"type\": \"glyphs\", \"count\": $glyphs, \"val_count\": 0, \"test_count\": 2000, \"normalize\": false"
fi
shared='"optimizer": {"type": "adam", "lr": RATE}, "metrics": ["accuracy"]'
digits="{\"data\": {$images, \"only_classes\": [0, 1, 2, 3, 4, 5, 6, 7]},
         \"model\": {\"type\": \"mlp\", \"hidden\": [60], \"activation\": \"identity\"}, $shared,
         \"train\": {\"epochs\": 1, \"batch_size\": 32, \"report\": false}}"
surface() { # LAYERS: after the embedding
    echo "{\"data\": {\"type\": \"gaussian-mixture\", \"classes\": 12, \"dimensions\": 8, \"embedding\": 32, \"separation\": 7,
                     \"count\": $count, \"val_count\": 0, \"test_count\": $tests, \"only_classes\": [0, 1, 2, 3, 4, 5, 6, 7]},
          \"model\": {\"type\": \"sequential\", \"layers\": [{\"type\": \"linear\", \"units\": 64}, \"activation\",
                                                       {\"type\": \"linear\", \"units\": 16}$1]}, $shared,
          \"train\": {\"epochs\": $epochs, \"batch_size\": 64, \"report\": false}}"
}
losses="ce normalized_softmax cosface arcface sphereface"

novel() { # RUN FILE WORDS...: the analysis, once
    run=$1 file=$2
    shift 2
    [ -s "$run/$file" ] || { "$XENT" analyze novel_classes "$run" --json "$@" > "$run/$file.part" && mv "$run/$file.part" "$run/$file"; }
}
figures() { # DATA LOSS FIGURE [FILE]: one a seed
    for seed in $(seq 201 "$last"); do json "$folder/$1-$2-$seed/${4:-novel.json}" figures "$3"; done
}
shown() { figures "$@" | interval | awk '{ printf "%.3f [%.3f, %.3f]", $1, $2, $3 }'; }
table() { # DATA CONFIG RATE LOSSES [WORDS...]
    data=$1 config=$(printf '%s' "$2" | sed "s/RATE/$3/") members=$4
    shift 4
    echo "| $data: loss | first, before | all | first | new | harmonic | all, by means | new alone, by means | by neighbour |"
    echo "|---|---|---|---|---|---|---|---|---|"
    for loss in $members; do
        for seed in $(seq 201 "$last"); do
            train "$folder/$data-$loss-$seed" train "$config" --set "loss=$loss" --seed "$seed"
            novel "$folder/$data-$loss-$seed" novel.json --seed "$seed" "$@"
        done
        row="| $loss |"
        for name in seen_accuracy joint_accuracy joint_seen joint_novel joint_harmonic means_accuracy disjoint_accuracy recall@1; do
            row="$row $(shown "$data" "$loss" "$name") |"
        done
        echo "$row"
    done
    echo
}
pair="ce normalized_softmax"
table digits "$digits" 0.001 "$losses"
table surface "$(surface "")" 0.003 "$losses" --set "analyze.shots=$shots"
for loss in $pair; do
    for seed in $(seq 201 "$last"); do novel "$folder/surface-$loss-$seed" five.json --seed "$seed" --set analyze.shots=5; done
done
table rectified "$(surface ', "activation"')" 0.003 "$pair" --set "analyze.shots=$shots"
[ -z "$quick" ] || exit 0

failed=0
compare() { # DATA FIGURE [FILE]: sets mean and low
    mean=$(paired "$(figures "$1" normalized_softmax "$2" "${3:-novel.json}")" "$(figures "$1" ce "$2" "${3:-novel.json}")")
    echo "$1${3:+, $3}: $2 of normalized_softmax - ce: $mean" >&2
    set -- $mean
    mean=$1 low=$2
}
absent() { echo "hyperspherical.sh: $*" >&2; failed=1; }
least() { # FIGURE LEAST [FILE]
    above "$(figures digits normalized_softmax "$1" "${3:-novel.json}" | interval | cut -d ' ' -f 1)" "$2" ||
        absent "$1 of digits is not above $2"
}
compare rectified joint_novel
compare rectified joint_harmonic
compare surface joint_harmonic
compare surface joint_novel five.json
compare surface joint_novel
{ above "$mean" 0.15 && above "$low" 0; } || absent "normalized_softmax is not 0.15 above ce on new Gaussian classes"
compare digits joint_accuracy
compare digits joint_novel
above "$low" 0 || absent "normalized_softmax does not tell new digits better than ce"
if [ -n "$mnist" ]; then
    least joint_accuracy 0.80
    least joint_novel_least 0.4
    if fashion; then
        clothes="{\"type\": \"idx\", \"path\": \"$XENT_SHARED_DATA/fashion-mnist\", \"normalize\": false, \"only_classes\": [0, 1]}"
        for seed in $(seq 201 "$last"); do
            novel "$folder/digits-normalized_softmax-$seed" clothes.json --set "analyze.data=$clothes" --seed "$seed"
        done
        echo "T-shirts against trousers: $(shown digits normalized_softmax disjoint_accuracy clothes.json)" >&2
        least disjoint_accuracy 0.90 clothes.json
    fi
fi
exit $failed
