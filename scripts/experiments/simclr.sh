#!/bin/sh
# Contrastive learning of features (SimCLR, Chen et al. 2020), in miniature: a convolutional network learns from views
# of images without labels; a linear classifier is then fitted to 300 labels.
#     simclr.sh [-o FOLDER] [--seeds N] [--quick]
# The images are Fashion-MNIST where XENT_SHARED_DATA has it, else drawn digits. Prints a Markdown table of test
# accuracy, means and 95% intervals over seeds 101, 102, ...: of a linear classifier on the features of the network as
# it was initialised, of nt_xent on views, and of supcon, which sees all labels; of the whole network
# trained on the 300 labels, from its initial values and from those that nt_xent found. Fails when the effect is
# absent: features of nt_xent are better than initial ones, with the interval of the paired differences above 0. The
# others are reported. --quick only checks that everything runs.
set -eu
cd "$(dirname "$0")/../.."
. scripts/experiments/shared.sh

folder=runs/simclr seeds=5 quick=
experiment_options "$@"

count=3000 labels=300 tests=3000 epochs=12 probe_epochs=60
[ -z "$quick" ] || { seeds=2 count=60 labels=30 tests=30 epochs=1 probe_epochs=1; }
losses="nt_xent supcon"
last=$((100 + seeds))
if [ -z "$quick" ] && fashion; then
    data="{\"type\": \"idx\", \"path\": \"$XENT_SHARED_DATA/fashion-mnist\", \"subset\": $count}"
else
    data="{\"type\": \"glyphs\", \"count\": $count, \"val_count\": 0, \"test_count\": $tests}"
fi
encoder='"type": "cnn", "channels": [8, 16, 32], "pooling": "average"'
views="{\"data\": $data, \"model\": {$encoder, \"hidden\": [64]}, \"objective\": {\"type\": \"contrastive\", \"dimension\": 32},
        \"optimizer\": {\"type\": \"adam\", \"lr\": 0.002}, \"schedule\": \"cosine\",
        \"train\": {\"epochs\": $epochs, \"batch_size\": 128, \"report\": false,
                    \"transforms\": [\"random-resized-crop\", \"flip\", {\"type\": \"affine\", \"degrees\": 15}, \"blur\"]}}"
classes="{\"data\": $data, \"model\": {$encoder, \"hidden\": []}, \"metrics\": [\"accuracy\"],
          \"optimizer\": {\"type\": \"adam\", \"lr\": 0.003}, \"schedule\": \"cosine\",
          \"train\": {\"epochs\": $probe_epochs, \"batch_size\": 50, \"report\": false}}"
frozen='optimizer.groups=[{"match": "stages.*", "frozen": true}]'

for seed in $(seq 101 "$last"); do
    for loss in $losses; do
        positives=views
        [ $loss != supcon ] || positives=classes
        train "$folder/views-$loss-$seed" train "$views" --set "loss={\"type\": \"$loss\", \"temperature\": 0.2}" \
            --set "objective.positives=$positives" --seed "$seed"
        train "$folder/probe-$loss-$seed" train "$classes" --set "data.subset=$labels" --set "$frozen" --set optimizer.lr=0.03 \
            --set "train.init_from=$folder/views-$loss-$seed/checkpoints/last.safetensors" --seed "$seed"
    done
    train "$folder/probe-initial-$seed" train "$classes" --set "data.subset=$labels" --set "$frozen" --set optimizer.lr=0.03 --seed "$seed"
    train "$folder/whole-initial-$seed" train "$classes" --set "data.subset=$labels" --seed "$seed"
    train "$folder/whole-nt_xent-$seed" train "$classes" --set "data.subset=$labels" \
        --set "train.init_from=$folder/views-nt_xent-$seed/checkpoints/last.safetensors" --seed "$seed"
done

accuracies() { # PART LOSS
    for seed in $(seq 101 "$last"); do json "$folder/$1-$2-$seed/summary.json" metrics test accuracy; done
}
row() { # WHAT PART LOSS
    echo "| $1 | $(accuracies "$2" "$3" | interval | awk '{ printf "%.3f [%.3f, %.3f]", $1, $2, $3 }') |"
}
echo "| trained on $labels labels | test accuracy |"
echo "|---|---|"
row "a linear classifier on initial features" probe initial
for loss in $losses; do row "the same on features of $loss" probe $loss; done
row "the whole network from initial values" whole initial
row "the whole network from values of nt_xent" whole nt_xent
[ -z "$quick" ] || exit 0

difference=$(paired "$(accuracies probe nt_xent)" "$(accuracies probe initial)")
echo "features of nt_xent - initial ones: $difference" >&2
set -- $difference
above "$2" 0 || { echo "simclr.sh: features of nt_xent are not better than initial ones" >&2; exit 1; }
