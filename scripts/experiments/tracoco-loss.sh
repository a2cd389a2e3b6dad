#!/bin/sh
# The cross-model confident loss cbc (Liu et al. 2022, TraCoCo) in miniature, without the rest of that system: two networks
# teach each other on 3,000 samples of ten Gaussians, of which 30 have labels.
#     tracoco-loss.sh [-o FOLDER] [--seeds N] [--quick]
# Prints a Markdown table of the accuracy and the likelihood of both networks' mean on test samples, means and 95%
# intervals over seeds 101, 102, ..., each with Gaussians of its own: labelled samples only, cross pseudo supervision (the
# other's largest class as the target of ce), cbc, and cbc of noisy inputs. Fails when an effect is absent: in the mean,
# cbc is at least 0.05 above labelled samples only, and at most 0.005 below cross pseudo supervision.
# The data were chosen for the mechanism, on seeds 1 to 3: where classes are clusters, a confident answer is mostly right.
# With 100 labels of 4,000 images of Fashion-MNIST, or of 2,000 drawn digits, a perceptron gained nothing from either (0.688
# with cbc and 0.693 without; 0.383 and 0.488).
# --quick checks that everything runs, and that cbc gains something.
set -eu
cd "$(dirname "$0")/../.."
. scripts/experiments/shared.sh

folder=runs/tracoco-loss seeds=10 quick=
experiment_options "$@"
epochs=20 count=3000 tests=2000 separation=5
[ -z "$quick" ] || { seeds=2 epochs=12 count=1000 tests=500 separation=7; }
last=$((100 + seeds))
config="{\"data\": {\"type\": \"gaussian-mixture\", \"classes\": 10, \"dimensions\": 20, \"separation\": $separation,
                  \"count\": $count, \"val_count\": 0, \"test_count\": $tests},
         \"model\": {\"type\": \"twin\", \"model\": {\"type\": \"mlp\", \"hidden\": [64]}}, \"loss\": \"ce\",
         \"optimizer\": {\"type\": \"adam\", \"lr\": 0.001}, \"metrics\": [\"accuracy\", \"nll\"],
         \"train\": {\"epochs\": $epochs, \"batch_size\": 64, \"report\": false}}"

figures() { # RUN METRIC: one a seed
    for seed in $(seq 101 "$last"); do json "$folder/$1-$seed/summary.json" metrics test "$2"; done
}
shown() { figures "$@" | interval | awk '{ printf "%.3f [%.3f, %.3f]", $1, $2, $3 }'; }
row() { # RUN NAME KEYS: keys of the objective
    for seed in $(seq 101 "$last"); do
        train "$folder/$1-$seed" train "$config" --set "objective={\"type\": \"cross_teaching\", \"labeled\": 30, $3}" \
            --seed "$seed"
    done
    echo "| $2 | $(shown "$1" accuracy) | $(shown "$1" nll) |"
}

echo "| teaching | accuracy | negative log-likelihood |"
echo "|---|---|---|"
row alone "labelled samples only" '"weight": 0'
row ce "cross pseudo supervision" '"teaching": "ce"'
row cbc "cbc" '"teaching": "cbc"'
row cbc-noise "cbc, noise in the taught inputs" '"teaching": "cbc", "noise": 0.5'

failed=0
compare() { difference "accuracy of $1 - $2" "$(figures "$1" accuracy)" "$(figures "$2" accuracy)" "$3"; } # A B LEAST
if [ -n "$quick" ]; then
    compare cbc alone 0
    exit $failed
fi
compare cbc alone 0.05
compare cbc ce -0.005
compare cbc-noise cbc -
exit $failed
