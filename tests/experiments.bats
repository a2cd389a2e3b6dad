# The experiments, in their quick form, and what scripts print for the README.

setup() {
    cd "$BATS_TEST_DIRNAME/.."
    unset XENT_SHARED_DATA
}

@test "noisy labels: a table, a CSV file, done runs are not run again, one job alone" {
    noisy() { sh scripts/experiments/noisy-labels.sh --quick -o "$BATS_TEST_TMPDIR/noisy" "$@"; }
    [ "$(noisy --count)" -eq 3 ]
    noisy --only 1
    [ "$(ls "$BATS_TEST_TMPDIR/noisy")" = gce-symmetric-0.4-1 ]
    touch -d 2001-01-01 "$BATS_TEST_TMPDIR/noisy/gce-symmetric-0.4-1/summary.json"
    noisy > "$BATS_TEST_TMPDIR/table"
    [ "$BATS_TEST_TMPDIR/noisy/gce-symmetric-0.4-1/summary.json" -ot tests/experiments.bats ]
    [ "$(grep -c '^| [a-z_]* | [0-9.]* |$' "$BATS_TEST_TMPDIR/table")" -eq 3 ]
    [ "$(head -1 "$BATS_TEST_TMPDIR/noisy/noisy-labels.csv")" = loss,noise,rate,seeds,accuracy,low,high ]
    [ "$(grep -c '^[a-z_]*,symmetric,0.4,1,0\.[0-9]*,,$' "$BATS_TEST_TMPDIR/noisy/noisy-labels.csv")" -eq 3 ]
    [ "$(grep -c '<circle ' "$BATS_TEST_TMPDIR/noisy/noisy-labels.svg")" -eq 3 ]
    run noisy --only 3
    [ "$status" -eq 2 ]
}

@test "noisy labels: without an effect the script fails" {
    folder=$BATS_TEST_TMPDIR/noisy
    for seed in 1 2; do
        for loss in ce gce; do
            for noise in symmetric-0 symmetric-0.2 symmetric-0.4 symmetric-0.6 asymmetric-0.4; do
                mkdir -p "$folder/$loss-$noise-$seed"
                echo "{\"metrics\": {\"test\": {\"accuracy\": 0.5$seed}}}" > "$folder/$loss-$noise-$seed/summary.json"
            done
        done
    done
    run sh scripts/experiments/noisy-labels.sh -o "$folder" --seeds 2 --losses "ce gce"
    [ "$status" -eq 1 ] && [[ "$output" == *"gce is not above ce"* ]]
    for seed in 1 2; do
        echo "{\"metrics\": {\"test\": {\"accuracy\": 0.7$seed}}}" > "$folder/gce-symmetric-0.4-$seed/summary.json"
    done
    sh scripts/experiments/noisy-labels.sh -o "$folder" --seeds 2 --losses "ce gce"
}

@test "noisy labels: losses are found by what trains" {
    jobs=$(sh scripts/experiments/noisy-labels.sh --count)
    [ $((jobs % 5)) -eq 0 ] && [ "$jobs" -ge 100 ]
}

@test "calibrate, distill and quantize on a small network run, and int8 is near f32" {
    sh scripts/experiments/fashion-three-commands.sh --quick -o "$BATS_TEST_TMPDIR/three" > "$BATS_TEST_TMPDIR/table"
    grep -q '^| accuracy, f32 and int8 |.*| yes |$' "$BATS_TEST_TMPDIR/table"
    [ "$(grep -c '^| .* |$' "$BATS_TEST_TMPDIR/table")" -eq 6 ]
}

@test "the README's list of losses is what the program has" {
    cp README.md "$BATS_TEST_TMPDIR/README.md"
    sh scripts/readme-losses.sh "$BATS_TEST_TMPDIR/README.md"
    cmp README.md "$BATS_TEST_TMPDIR/README.md" || { echo "run sh scripts/readme-losses.sh README.md"; false; }
    grep -q '^| `ramp` | those of its parts |' README.md
}

@test "ldr and z-loss: their quick forms run every loss of the comparison" {
    sh scripts/experiments/ldr.sh --quick -o "$BATS_TEST_TMPDIR/ldr" > "$BATS_TEST_TMPDIR/table"
    [ "$(grep -c '^| [a-z_]*kl-[0-9.]* | 0.38 | [0-9.]* \[' "$BATS_TEST_TMPDIR/table")" -eq 8 ]
    sh scripts/experiments/z-loss.sh --quick -o "$BATS_TEST_TMPDIR/z-loss" > "$BATS_TEST_TMPDIR/table"
    [ "$(grep -c '^| [a-z_]* | [0-9.]* \[' "$BATS_TEST_TMPDIR/table")" -eq 5 ]
}

@test "comp-sum and adversarial training: their quick forms run every member, and attacks are withstood" {
    sh scripts/experiments/comp-sum.sh --quick -o "$BATS_TEST_TMPDIR/comp-sum" > "$BATS_TEST_TMPDIR/table"
    [ "$(grep -c '^| [a-z0-9.]* | [0-9.]* \[' "$BATS_TEST_TMPDIR/table")" -eq 7 ]
    sh scripts/experiments/adversarial.sh --quick -o "$BATS_TEST_TMPDIR/adversarial" > "$BATS_TEST_TMPDIR/table"
    [ "$(grep -c '^| [a-z_]* | [0-9.]* \[' "$BATS_TEST_TMPDIR/table")" -eq 4 ]
}

@test "comp-sum and adversarial training: without an effect the scripts fail" {
    for seed in 101 102; do
        for run in tau-0 tau-0.5 tau-1 tau-1.5 tau-2 noisy-ce noisy-gce; do
            mkdir -p "$BATS_TEST_TMPDIR/same/$run-$seed"
            echo '{"metrics": {"test": {"accuracy": 0.5}}}' > "$BATS_TEST_TMPDIR/same/$run-$seed/summary.json"
        done
    done
    for seed in 121 122; do
        for run in ce pgd_at trades adv_comp_sum; do
            mkdir -p "$BATS_TEST_TMPDIR/same/$run-$seed"
            echo '{}' > "$BATS_TEST_TMPDIR/same/$run-$seed/summary.json"
            echo '{"metrics": {"accuracy": 0.9, "robust_accuracy": 0.5, "smooth_term": 1}}' \
                > "$BATS_TEST_TMPDIR/same/$run-$seed/robust.json"
        done
    done
    run sh scripts/experiments/comp-sum.sh --seeds 2 -o "$BATS_TEST_TMPDIR/same"
    [ "$status" -eq 1 ] && [[ "$output" == *"tau-1 - tau-2 is below 0.10"* && "$output" == *"noisy-gce - noisy-ce is below 0.08"* ]]
    run sh scripts/experiments/adversarial.sh --seeds 2 -o "$BATS_TEST_TMPDIR/same"
    [ "$status" -eq 1 ] && [[ "$output" == *"robust_accuracy of adv_comp_sum - ce is below 0.15"* ]]
}

@test "experiments that compare seeds refuse one seed, and fail where the effect is absent" {
    run sh scripts/experiments/ldr.sh --seeds 1 -o "$BATS_TEST_TMPDIR/one"
    [ "$status" -eq 2 ] && [ ! -e "$BATS_TEST_TMPDIR/one" ]
    for run in ce-0.38 ldr_kl-0.3-0.38 ldr_kl-1-0.38 ldr_kl-3-0.38 ldr_kl-10-0.38 aldr_kl-0.3-0.38 aldr_kl-1-0.38 \
        aldr_kl-3-0.38 aldr_kl-10-0.38 ce-0 ldr_kl-1-0; do
        for seed in 101 102; do
            mkdir -p "$BATS_TEST_TMPDIR/same/$run-$seed"
            echo '{"metrics": {"test": {"accuracy": 0.5}}}' > "$BATS_TEST_TMPDIR/same/$run-$seed/summary.json"
        done
    done
    run sh scripts/experiments/ldr.sh --seeds 2 -o "$BATS_TEST_TMPDIR/same"
    [ "$status" -eq 1 ] && [[ "$output" == *"ldr_kl-3 - ce is not above 0.08"* ]]
}

@test "hl-gauss: the quick forms learn values of actions and a noisy function by four losses" {
    sh scripts/experiments/hl-gauss-regression.sh --quick -o "$BATS_TEST_TMPDIR/noisy" > "$BATS_TEST_TMPDIR/table"
    [ "$(grep -c '^| [a-z_]* | [0-9.]* \[.* | [0-9.]* \[.* | [0-9.]* \[' "$BATS_TEST_TMPDIR/table")" -eq 4 ]
    sh scripts/experiments/hl-gauss.sh --quick -o "$BATS_TEST_TMPDIR/hl-gauss" > "$BATS_TEST_TMPDIR/table"
    [ "$(grep -c '^| [a-z0-9_]* | [01] | [0-9.]* \[' "$BATS_TEST_TMPDIR/table")" -eq 8 ]
}

@test "gru-svm, simclr and g-simclr: their quick forms run" {
    sh scripts/experiments/g-simclr.sh --quick -o "$BATS_TEST_TMPDIR/g-simclr" > "$BATS_TEST_TMPDIR/table"
    [ "$(grep -c '^| [a-z]* | [0-9.]* \[.* | [0-9.]* \[' "$BATS_TEST_TMPDIR/table")" -eq 3 ]
    sh scripts/experiments/gru-svm.sh --quick -o "$BATS_TEST_TMPDIR/gru-svm" > "$BATS_TEST_TMPDIR/table"
    [ "$(grep -c '^| [a-z0-9 ]*, .* | [0-9.]* \[' "$BATS_TEST_TMPDIR/table")" -eq 5 ]
    sh scripts/experiments/simclr.sh --quick -o "$BATS_TEST_TMPDIR/simclr" > "$BATS_TEST_TMPDIR/table"
    [ "$(grep -c '^| .* | [0-9.]* \[' "$BATS_TEST_TMPDIR/table")" -eq 5 ]
}

@test "cut cross-entropy: trains as the dense one does" {
    sh scripts/experiments/cut-cross-entropy.sh --quick -o "$BATS_TEST_TMPDIR/cut" > "$BATS_TEST_TMPDIR/table"
    [ "$(grep -c '^| [a-z]* | [0-9.]* \[' "$BATS_TEST_TMPDIR/table")" -eq 6 ]
    for seed in 101 102; do
        echo '{"peak_memory_bytes": 1, "samples_per_second": 1, "metrics": {"test": {"loss": 9}}}' \
            > "$BATS_TEST_TMPDIR/cut/auto-$seed/summary.json"
    done
    run sh scripts/experiments/cut-cross-entropy.sh --quick -o "$BATS_TEST_TMPDIR/cut"
    [ "$status" -eq 1 ] && [[ "$output" == *"auto is "*" nats from dense"* ]]
    sed -i '/"step":3,/s/"loss":[0-9.]*/"loss":9/' "$BATS_TEST_TMPDIR/cut/exact-102/metrics.jsonl"
    run sh scripts/experiments/cut-cross-entropy.sh --quick -o "$BATS_TEST_TMPDIR/cut"
    [ "$status" -eq 1 ] && [[ "$output" == *"exact leaves dense at step 3, seed 102"* ]]
}

@test "pa-bce and dexml: their quick forms run every row of the comparison" {
    sh scripts/experiments/pa-bce.sh --quick -o "$BATS_TEST_TMPDIR/pa-bce" > "$BATS_TEST_TMPDIR/table"
    [ "$(grep -c '^| [a-z_]*bce.* | -*[0-9.]* \[.* | [0-9.]* \[' "$BATS_TEST_TMPDIR/table")" -eq 5 ]
    sh scripts/experiments/dexml.sh --quick -o "$BATS_TEST_TMPDIR/dexml" > "$BATS_TEST_TMPDIR/table"
    [ "$(grep -c '^| [a-z_, ]* | [0-9.]* \[.* | [0-9.]* \[.* | [0-9.]* \[' "$BATS_TEST_TMPDIR/table")" -eq 7 ]
}

# On the script's data without a regime, for which a small network is enough.
@test "pa-bce: pairs weighted by profit capture more than labels where chance is wide for some, and not where it is not" {
    config='{"data": {"type": "traders", "regime": 0, "count": 200, "val_count": 0, "test_count": 500},
             "model": {"type": "mlp", "hidden": [16]}, "loss": {"type": "pa_bce", "top_k": 50},
             "optimizer": {"type": "adam", "lr": 0.01}, "metrics": ["captured_pnl@5%"],
             "train": {"epochs": 15, "batch_size": 8, "report": false}}'
    . scripts/experiments/shared.sh
    gain() { # VOLATILITY SEED: of pa_bce over bce
        train "$BATS_TEST_TMPDIR/pa_bce-$1-$2" train "$config" --set data.volatility="$1" --seed "$2"
        train "$BATS_TEST_TMPDIR/bce-$1-$2" train "$config" --set data.volatility="$1" --set loss=bce \
            --set data.target=label --seed "$2"
        paired "$(json "$BATS_TEST_TMPDIR/pa_bce-$1-$2/summary.json" metrics test captured_pnl@5%)" \
               "$(json "$BATS_TEST_TMPDIR/bce-$1-$2/summary.json" metrics test captured_pnl@5%)"
    }
    for seed in 1 2; do
        wide=$(gain 8 $seed) none=$(gain 0 $seed)
        above "${wide%% *}" 0.04 && below "${none%% *}" 0.03 || { echo "seed $seed: $wide, $none"; false; }
    done
}

@test "pa-bce and dexml fail where the effect is absent" {
    for seed in 301 302; do
        for run in pa_bce bce alone bce-alone top-6; do
            mkdir -p "$BATS_TEST_TMPDIR/pa-bce/$run-$seed"
            echo '{"metrics": {"test": {"captured_pnl@5%": 0.5, "ndcg@5": 0.5}}}' > "$BATS_TEST_TMPDIR/pa-bce/$run-$seed/summary.json"
        done
    done
    run sh scripts/experiments/pa-bce.sh --seeds 2 -o "$BATS_TEST_TMPDIR/pa-bce"
    [ "$status" -eq 1 ] && [[ "$output" == *"captured_pnl@5% of pa_bce - bce is below 0.02"* ]]
    [[ "$output" == *"ndcg@5 of pa_bce - alone is below 0.02"* ]]
    for seed in 301 302; do # in the mean, but not surely
        captured=0.$((seed == 301 ? 55 : 95))
        echo "{\"metrics\": {\"test\": {\"captured_pnl@5%\": $captured, \"ndcg@5\": 0.6}}}" > "$BATS_TEST_TMPDIR/pa-bce/pa_bce-$seed/summary.json"
    done
    run sh scripts/experiments/pa-bce.sh --seeds 2 -o "$BATS_TEST_TMPDIR/pa-bce"
    [ "$status" -eq 1 ] && [[ "$output" == *"captured_pnl@5% of pa_bce is not surely above bce"* && "$output" != *"is below"* ]]
    for seed in 101 102; do
        for loss in softmax_multi decoupled_softmax soft_topk bce_multi all in_batch hard; do
            mkdir -p "$BATS_TEST_TMPDIR/dexml/$loss-$seed"
            echo '{"metrics": {"test": {"P@1": 0.5, "P@5": 0.5, "PSP@5": 0.5}}}' > "$BATS_TEST_TMPDIR/dexml/$loss-$seed/summary.json"
        done
    done
    run sh scripts/experiments/dexml.sh --seeds 2 -o "$BATS_TEST_TMPDIR/dexml"
    [ "$status" -eq 1 ] && [[ "$output" == *"P@1 of decoupled_softmax is not 0.005 above softmax_multi"* ]]
    [[ "$output" == *"P@1 of all is not surely above in_batch"* ]]
}

@test "eisl: the quick form shows that repeated words do no harm, and without an effect the script fails" {
    sh scripts/experiments/eisl.sh --quick -o "$BATS_TEST_TMPDIR/eisl" > "$BATS_TEST_TMPDIR/table"
    [ "$(grep -c '^| [a-z]* [0-9.]* | [0-9.]* \[.* | [0-9.]* \[.* | [0-9.]* \[' "$BATS_TEST_TMPDIR/table")" -eq 2 ]
    for run in "$BATS_TEST_TMPDIR"/eisl/*/; do
        echo '{"metrics": {"test": {"bleu": 0.5}}}' > "$run/summary.json"
    done
    run sh scripts/experiments/eisl.sh --quick -o "$BATS_TEST_TMPDIR/eisl"
    [ "$status" -eq 1 ] && [[ "$output" == *"with repetition-0.3 eisl-1-2 is not above ce"* ]]
}

@test "bias-loss: the quick form weighs blank samples less; without an effect the script fails" {
    sh scripts/experiments/bias-loss.sh --quick -o "$BATS_TEST_TMPDIR/bias" > "$BATS_TEST_TMPDIR/table"
    [ "$(grep -c '^| bias, .* | [0-9.]* \[.* | 0.7.* | 0.7.* | 0.7' "$BATS_TEST_TMPDIR/table")" -eq 3 ]
    run sh scripts/experiments/bias-loss.sh --fashion -o "$BATS_TEST_TMPDIR/none"
    [ "$status" -eq 1 ] && [ ! -e "$BATS_TEST_TMPDIR/none" ]
    for run in global local no-skips; do
        for seed in 201 202; do
            echo '{"epoch":1,"weight_mean":0.8,"weight_marked":0.75,"weight_unmarked":0.75}' \
                > "$BATS_TEST_TMPDIR/bias/$run-$seed/metrics.jsonl"
        done
    done
    run sh scripts/experiments/bias-loss.sh --seeds 2 -o "$BATS_TEST_TMPDIR/bias"
    [ "$status" -eq 1 ] && [[ "$output" == *"weight of others - blank, global is below 0.03"* ]]
}

@test "tracoco-loss: the quick form gains by teaching; without an effect the script fails" {
    sh scripts/experiments/tracoco-loss.sh --quick -o "$BATS_TEST_TMPDIR/cbc" > "$BATS_TEST_TMPDIR/table"
    [ "$(grep -c '^| [a-z].* | [0-9.]* \[.* | [0-9.]* \[' "$BATS_TEST_TMPDIR/table")" -eq 4 ]
    for run in "$BATS_TEST_TMPDIR"/cbc/*-10?; do
        echo '{"metrics": {"test": {"accuracy": 0.5, "nll": 0.7}}}' > "$run/summary.json"
    done
    run sh scripts/experiments/tracoco-loss.sh --seeds 2 -o "$BATS_TEST_TMPDIR/cbc"
    [ "$status" -eq 1 ] && [[ "$output" == *"accuracy of cbc - alone is below 0.05"* ]]
}

@test "fcn-ctr: the quick form trains every network and sees products" {
    sh scripts/experiments/fcn-ctr.sh --quick -o "$BATS_TEST_TMPDIR/fcn" > "$BATS_TEST_TMPDIR/table"
    [ "$(grep -c '^| [a-zA-Z].*bce.* | [0-9.]* \[.* | [0-9.]* \[' "$BATS_TEST_TMPDIR/table")" -eq 7 ]
}

@test "fcn-ctr fails where the effect is absent" {
    for run in linear mlp ecn lcn fcn-bce fcn fcn-detached; do
        for seed in 301 302; do
            mkdir -p "$BATS_TEST_TMPDIR/same/$run-$seed"
            echo '{"metrics": {"test": {"auroc": 0.5, "nll": 0.7}}}' > "$BATS_TEST_TMPDIR/same/$run-$seed/summary.json"
        done
    done
    run sh scripts/experiments/fcn-ctr.sh --seeds 2 -o "$BATS_TEST_TMPDIR/same"
    [ "$status" -eq 1 ] && [[ "$output" == *"area of fcn - mlp is below 0.008"* && "$output" == *"area of fcn - lcn is not above 0"* ]]
}

@test "noisefit and cs-ib: their quick forms run every term and weight" {
    sh scripts/experiments/noisefit.sh --quick -o "$BATS_TEST_TMPDIR/noisefit" > "$BATS_TEST_TMPDIR/table"
    [ "$(grep -c '^| [a-z_]* | [0-9.]* \[.* | [0-9.]* \[' "$BATS_TEST_TMPDIR/table")" -eq 5 ]
    sh scripts/experiments/cs-ib.sh --quick -o "$BATS_TEST_TMPDIR/cs-ib" > "$BATS_TEST_TMPDIR/table"
    [ "$(grep -c '^| [a-z_0-9.-]* | [0-9.]* \[.* | [0-9.]* \[' "$BATS_TEST_TMPDIR/table")" -eq 5 ]
}

@test "hyperspherical: the quick form trains and adds classes with every loss; fails where the effect is absent" {
    sh scripts/experiments/hyperspherical.sh --quick -o "$BATS_TEST_TMPDIR/hyperspherical" > "$BATS_TEST_TMPDIR/table"
    [ "$(grep -c '^| [a-z_]* | [0-9.]* \[.* | [0-9.]* \[.* | [0-9.]* \[' "$BATS_TEST_TMPDIR/table")" -eq 12 ]
    for seed in 201 202; do
        for loss in ce normalized_softmax cosface arcface sphereface; do
            for data in digits surface rectified; do
                mkdir -p "$BATS_TEST_TMPDIR/same/$data-$loss-$seed"
                echo '{}' > "$BATS_TEST_TMPDIR/same/$data-$loss-$seed/summary.json"
                cp "$BATS_TEST_TMPDIR/hyperspherical/digits-ce-201/novel.json" "$BATS_TEST_TMPDIR/same/$data-$loss-$seed"
                cp "$BATS_TEST_TMPDIR/hyperspherical/digits-ce-201/novel.json" "$BATS_TEST_TMPDIR/same/$data-$loss-$seed/five.json"
            done
        done
    done
    run sh scripts/experiments/hyperspherical.sh --seeds 2 -o "$BATS_TEST_TMPDIR/same"
    [ "$status" -eq 1 ] && [[ "$output" == *"does not tell new digits better than ce"* ]]
}

@test "mw-loss: the quick form runs with and without hard negatives; fails where the effect is absent" {
    sh scripts/experiments/mw-loss.sh --quick -o "$BATS_TEST_TMPDIR/mw" > "$BATS_TEST_TMPDIR/table"
    [ "$(grep -c '^| [a-z]* | [02] | [0-9.]* \[.* | [0-9.]* \[.* | [0-9.]* \[' "$BATS_TEST_TMPDIR/table")" -eq 4 ]
    for run in infonce-0 mw-0 infonce-2 mw-2; do
        for seed in 101 102; do
            mkdir -p "$BATS_TEST_TMPDIR/same/$run-$seed"
            echo '{"metrics": {"test": {"AUC@50": 0.9, "MRR@10": 0.5, "nDCG@10": 0.5}}}' > "$BATS_TEST_TMPDIR/same/$run-$seed/summary.json"
        done
    done
    run sh scripts/experiments/mw-loss.sh --seeds 2 -o "$BATS_TEST_TMPDIR/same"
    [ "$status" -eq 1 ] && [[ "$output" == *"AUC@50 of mw is not 0.01 above infonce"* ]]
}

@test "osp: the quick form shows that soft preferences stop at the best policy, and without an effect the script fails" {
    sh scripts/experiments/osp.sh --quick -o "$BATS_TEST_TMPDIR/osp" > "$BATS_TEST_TMPDIR/table"
    [ "$(grep -c '^| [a-z]* | [0-9.]* \[.* | [0-9.]* \[' "$BATS_TEST_TMPDIR/table")" -eq 4 ]
    cp "$BATS_TEST_TMPDIR/osp/arms-dpo-101/policy.csv" "$BATS_TEST_TMPDIR/osp/arms-spce-101/policy.csv"
    run sh scripts/experiments/osp.sh --quick -o "$BATS_TEST_TMPDIR/osp"
    [ "$status" -eq 1 ] && [[ "$output" == *"arms: spce is not within 5% of the best policy's divergence"* ]]
}

@test "rmt-loss: derivatives as by hand" {
    sh scripts/experiments/rmt-loss.sh -o "$BATS_TEST_TMPDIR/rmt" > "$BATS_TEST_TMPDIR/table"
    [ "$(grep -c '^| [0-9.]* | [0-9.]* | -*[0-9.]* |' "$BATS_TEST_TMPDIR/table")" -eq 14 ]
    grep -q '^| 0.5 | 0.99 | -0.4900 | -0.8194 | -0.8194 | 1.67 |$' "$BATS_TEST_TMPDIR/table"
}
