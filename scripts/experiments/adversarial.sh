#!/bin/sh
# The smooth adversarial comp-sum loss (Mao, Mohri and Zhong, ICML 2023) beside cross-entropy, adversarial training and
# TRADES, in miniature: the 8x8 digits of XENT_SHARED_DATA, else drawn digits, pixels 0 to 1, a network of 64-64 units,
# attacks of 0.1 in L-infinity (of 0.05 on the drawn digits).
#     adversarial.sh [-o FOLDER] [--seeds N] [--quick]
# Prints a Markdown table of test accuracy, accuracy under attack (20 steps, 3 restarts) and the smooth term, means and
# 95% intervals over seeds 121, 122, ... Fails when an effect is absent: the robust accuracy of adv_comp_sum is at least
# 0.15 above that of ce and at most 0.01 below that of trades, its accuracy at most 0.01 below that of trades.
# On seeds 121 to 130: robust accuracy 0.797, that of ce 0.376, of trades 0.801 (difference -0.004 [-0.013, 0.006]);
# accuracy 0.972, 0.018 [0.013, 0.023] above that of trades; its smooth term is the least of all. That is no advantage
# over adversarial training: pgd_at has an accuracy of 0.975, and 0.010 [0.002, 0.018] more under attack.
# nu was chosen on seeds 1 to 3 and 111 to 116 (FIRST_SEED=111 NU=0.2 adversarial.sh --seeds 6), below the 0.3, 1 and 3
# that were tried first: at 1 and 3 some or all runs learn nothing, at 0.3 robust accuracy was 0.010 below that of trades
# (seeds 101 to 110). rho is no second handle: with z = rho u the objective is l(u) + nu rho sup ||D_u(x') - D_u(x)||, so
# that only nu rho counts but for the initial size of the last layer, and the theory's nu rho, sqrt(classes - 1) = 3, is
# where nothing is learnt. A weight decay of 0.1 (adamw) changed trades and adv_comp_sum by 0.003 at most; attacks of 0.05
# gave 0.921 and 0.895 at nu 0.3 and 1 against 0.919 of trades (seeds 1 and 2).
# --quick checks that everything runs and the first of these effects, on the drawn digits.
set -eu
cd "$(dirname "$0")/../.."
. scripts/experiments/shared.sh

folder=runs/adversarial seeds=10 quick=
experiment_options "$@"
first=${FIRST_SEED:-121} nu=${NU:-0.2}
epochs=30 count=1500 tests=500
[ -z "$quick" ] || { seeds=2 epochs=20 count=400 tests=100; }
last=$((first + seeds - 1))

# Drawn digits that stand straight, on four times the pixels: an attack of half the size.
eps=0.05
data="{\"type\": \"glyphs\", \"size\": 16, \"rotation\": 0, \"shear\": 0, \"shift\": 0, \"scale\": 0, \"deformation\": 0.5,
       \"count\": $count, \"val_count\": 0, \"test_count\": $tests, \"normalize\": false}"
digits=${XENT_SHARED_DATA:-}/tables/digits.csv.gz
if [ -z "$quick" ] && [ -e "$digits" ]; then
    mkdir -p "$folder"
    eps=0.1
    gzip -dc "$digits" | awk -F, -v OFS=, '{ for (i = 1; i < NF; i++) $i /= 16; print }' > "$folder/digits.csv"
    data="{\"type\": \"csv\", \"path\": \"$folder/digits.csv\", \"split\": [0.7, 0, 0.3], \"stratified\": true, \"normalize\": false}"
fi
config="{\"data\": $data, \"model\": {\"type\": \"mlp\", \"hidden\": [64, 64]}, \"optimizer\": {\"type\": \"adam\", \"lr\": 0.003},
         \"train\": {\"epochs\": $epochs, \"batch_size\": 64, \"report\": false}, \"metrics\": [\"accuracy\"]}"
attack="{\"attack\": {\"eps\": $eps, \"step\": 0.01, \"iters\": 20, \"restarts\": 3, \"range\": [0, 1]}}"

run() { # NAME OBJECTIVE
    for seed in $(seq "$first" "$last"); do
        run=$folder/$1-$seed
        train "$run" train "$config" --set "objective=$2" --seed "$seed"
        [ -s "$run/robust.json" ] || "$XENT" eval "$run" "$attack" --resamples 0 --json > "$run/robust.json"
    done
}
figures() { # NAME FIGURE
    for seed in $(seq "$first" "$last"); do json "$folder/$1-$seed/robust.json" metrics "$2"; done
}
row() {
    printf '| %s |' "$1"
    for figure in accuracy robust_accuracy smooth_term; do
        figures "$1" $figure | interval | awk '{ printf " %.3f [%.3f, %.3f] |", $1, $2, $3 }'
    done
    echo
}

echo "| objective | accuracy | robust accuracy | smooth term |"
echo "|---|---|---|---|"
training="\"attack\": {\"eps\": $eps, \"step\": 0.025, \"iters\": 10, \"range\": [0, 1]}"
run ce '"supervised"'
row ce
run pgd_at "{\"type\": \"pgd_at\", $training}"
row pgd_at
run trades "{\"type\": \"trades\", \"beta\": 6, $training}"
row trades
run adv_comp_sum "{\"type\": \"adv_comp_sum\", \"nu\": $nu, $training}"
row adv_comp_sum

failed=0
compare() { # METRIC OTHER LEAST: adv_comp_sum less OTHER is not below LEAST
    difference "$1 of adv_comp_sum - $2" "$(figures adv_comp_sum "$1")" "$(figures "$2" "$1")" "$3"
}
compare robust_accuracy ce 0.15
[ -n "$quick" ] || { compare robust_accuracy trades -0.01; compare accuracy trades -0.01; }
exit $failed
