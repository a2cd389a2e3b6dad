#!/bin/sh
# Learning from how strongly one response is preferred (Zhai et al. 2024), in miniature: the soft-preference cross-entropy
# spce, whose targets are probabilities, against dpo, which only sees which response is better.
#     osp.sh [-o FOLDER] [--seeds N] [--quick]
# arms: 64 responses of one token with rewards r from N(0, 1), all pairs, judged by sigmoid(r_i - r_j); a table of
# logits, beta 0.8, plain SGD. The best policy is known: the reference times exp(r / beta).
# letters: a transformer answers a target letter with 8 letters, at first as it has learned from 4000 pairs of
# demonstrations; a response is worth its hits minus half of its repeats, and pairs are judged by the sigmoid of the
# difference with noise of deviation 0.5; beta 0.2, as many steps for both losses.
# Prints two Markdown tables, means and 95% intervals over seeds 101, 102, ...: the divergence from the reference beside that
# of the best policy, and how far sigmoid(h) is from the judge's probability; of letters also the share of responses that
# beat one of the policy before. Fails when an effect is absent: arms, for each seed, the divergence of spce is within 5% of
# the best policy's, that of dpo above twice it (the paper's miniature has beta 0.5, where twice the best can be more than
# the most that 64 responses allow, ln 64); letters, divergence and distance of spce are below those of dpo with the
# intervals of the paired differences below 0, its share of wins at most 0.03 below, and at least 0.65. --quick runs few steps
# with 2 seeds, and looks for the effect on arms alone.
# All pairs are from the reference policy and judged before training: the loop that samples anew is not here.
set -eu
cd "$(dirname "$0")/../.."
. scripts/experiments/shared.sh

folder=runs/osp seeds=5 quick=
experiment_options "$@"

steps=4000 pairs=4000 epochs=4 draws=16
[ -z "$quick" ] || { seeds=2 steps=800 pairs=200 epochs=1 draws=1; }
last=$((100 + seeds))
mkdir -p "$folder/data"
make_data() { # FILE WORDS...: made once
    file=$folder/data/$1
    shift
    [ -s "$file" ] || { awk "$@" -f scripts/experiments/osp.awk > "$file.part" && mv "$file.part" "$file"; }
}

arms='"model": {"type": "sequential", "head": false, "init": "constant",
      "layers": ["one_hot", {"type": "linear", "units": 64, "bias": false}]},
      "objective": {"type": "preference", "samples": 0}, "optimizer": {"type": "sgd", "lr": 16},
      "train": {"batch_size": 64, "report": false}'
letters='"model": {"type": "transformer", "layers": 2, "width": 32, "heads": 2}, "optimizer": {"type": "adamw", "lr": 0.003},
         "metrics": ["nll"], "train": {"batch_size": 32, "report": false}'
draw() { # RUN: one file of responses to every target
    [ -s "$folder/$1/drawn" ] || for target in A B C D E F G H; do
        for i in $(seq 1 "$draws"); do
            "$XENT" generate "$folder/$1" --prompt "$target" --tokens 8 --seed "$i" --quiet
        done
    done > "$folder/$1/drawn.part"
    [ ! -e "$folder/$1/drawn.part" ] || mv "$folder/$1/drawn.part" "$folder/$1/drawn"
}

for seed in $(seq 101 "$last"); do
    make_data "arms-$seed.jsonl" -v make=arms -v "seed=$seed"
    make_data "rewards-$seed" -v make=rewards -v "seed=$seed"
    make_data "letters-$seed.jsonl" -v make=letters -v "seed=$seed" -v "pairs=$pairs" -v noise=0.5
    make_data "test-$seed.jsonl" -v make=letters -v "seed=$((seed + 1000))" -v pairs=300 -v noise=0
    arms_data="{\"type\": \"preferences\", \"path\": \"$folder/data/arms-$seed.jsonl\",
                \"test_path\": \"$folder/data/arms-$seed.jsonl\", \"length\": 1, \"end\": \"\"}"
    letters_data="{\"type\": \"preferences\", \"path\": \"$folder/data/letters-$seed.jsonl\",
                   \"test_path\": \"$folder/data/test-$seed.jsonl\", \"length\": 8, \"end\": \"\"}"
    train "$folder/before-$seed" train "{\"data\": $letters_data, $letters}" --set train.epochs=3 --seed "$seed"
    draw "before-$seed"
    for loss in spce dpo; do
        train "$folder/arms-$loss-$seed" train "{\"data\": $arms_data, $arms}" --set "train.steps=$steps" --seed "$seed" \
            --set "loss={\"type\": \"$loss\", \"beta\": 0.8}"
        [ -s "$folder/arms-$loss-$seed/policy.csv" ] ||
            "$XENT" predict "$folder/arms-$loss-$seed" --split train -o "$folder/arms-$loss-$seed/policy.csv" --quiet
        train "$folder/letters-$loss-$seed" train "{\"data\": $letters_data, $letters}" --seed "$seed" \
            --set "loss={\"type\": \"$loss\", \"beta\": 0.2}" --set 'objective={"type": "preference", "samples": 300}' \
            --set "train.init_from=$folder/before-$seed/checkpoints/last.safetensors" --set "train.epochs=$epochs" \
            --set optimizer.lr=0.001
        draw "letters-$loss-$seed"
    done
done

policies() { # LOSS COLUMN: from the reference, from the best, the best's
    for seed in $(seq 101 "$last"); do
        awk -v make=policy -v "rewards=$folder/data/rewards-$seed" -v beta=0.8 -f scripts/experiments/osp.awk \
            "$folder/arms-$1-$seed/policy.csv" | cut -d ' ' -f "$2"
    done
}
figures() { for seed in $(seq 101 "$last"); do json "$folder/$1-$seed/summary.json" metrics test "$2"; done; }
wins() {
    for seed in $(seq 101 "$last"); do
        awk -v make=winrate -f scripts/experiments/osp.awk "$folder/before-$seed/drawn" "$folder/letters-$1-$seed/drawn"
    done
}
shown() { interval | awk '{ printf "%.3f [%.3f, %.3f]", $1, $2, $3 }'; }

echo "| arms | from the reference | of the best policy | from the best policy | from the judge |"
echo "|---|---|---|---|---|"
for loss in spce dpo; do
    echo "| $loss | $(policies $loss 1 | shown) | $(policies $loss 3 | shown) | $(policies $loss 2 | shown) |" \
        "$(figures arms-$loss calibration | shown) |"
done
echo
echo "| letters | from the reference | from the judge | share of wins |"
echo "|---|---|---|---|"
for loss in spce dpo; do
    echo "| $loss | $(figures letters-$loss kl_reference | shown) | $(figures letters-$loss calibration | shown) |" \
        "$(wins $loss | shown) |"
done

failed=0
complain() { echo "osp.sh: $1" >&2; failed=1; }
{ policies spce 1; policies spce 3; policies dpo 1; } | awk -v "n=$seeds" '{ x[NR] = $1 }
    END { for (i = 1; i <= n; i++) if (x[i] < 0.95 * x[n + i] || x[i] > 1.05 * x[n + i] || x[2 * n + i] <= 2 * x[n + i]) exit 1 }' ||
    complain "arms: spce is not within 5% of the best policy's divergence, or dpo not above twice it"
[ -z "$quick" ] || exit $failed
for figure in kl_reference calibration; do
    difference=$(paired "$(figures letters-spce $figure)" "$(figures letters-dpo $figure)")
    echo "letters: $figure of spce - dpo: $difference" >&2
    below "${difference##* }" 0 || complain "letters: $figure of spce is not below that of dpo"
done
difference=$(paired "$(wins spce)" "$(wins dpo)")
echo "letters: wins of spce - dpo: $difference" >&2
above "${difference%% *}" -0.03 || complain "letters: spce wins less than dpo by more than 0.03"
above "$(wins spce | interval | cut -d ' ' -f 1)" 0.65 || complain "letters: spce wins less than 0.65"
exit $failed
