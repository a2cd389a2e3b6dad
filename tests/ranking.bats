# Groups and very many labels, from data to loss, model and metrics.
load arrays.bash

ranker='{"data": {"type": "traders", "count": 12, "val_count": 4, "test_count": 6, "members": 10},
         "model": {"type": "pa_riskranker", "token_dim": 8, "self_depth": 1, "self_heads": 2, "self_head_dim": 4,
                   "cross_layers": 1, "cross_heads": 2, "cross_ff": 8}, "loss": "pa_bce", "optimizer": "adam",
         "train": {"epochs": 4, "batch_size": 5, "report": false}}'
many='{"data": {"type": "extreme-labels", "count": 60, "val_count": 20, "test_count": 20, "labels": 30},
       "model": {"type": "dual_encoder", "dim": 6}, "loss": "decoupled_softmax", "optimizer": "adam",
       "train": {"epochs": 2, "batch_size": 20, "report": false}}'
table='{"data": {"type": "csv", "path": "t.csv", "group": "query", "target": "profit", "task": "regression"},
        "model": {"type": "mlp", "hidden": [4]}, "loss": "pa_bce", "train": {"epochs": 1, "report": false}}'

setup() {
    cd "$BATS_TEST_TMPDIR"
}

# fails STATUS PATTERN WORDS...: one line on standard error that matches, nothing on standard output.
fails() {
    local expected=$1 pattern=$2
    shift 2
    run "$@"
    [ "$status" -eq "$expected" ] && [ "${#lines[@]}" -eq 1 ] && [[ "$output" == "xent: "$pattern ]] ||
        { echo "exit $status: $output"; false; }
}

@test "pa_bce of arrays: the paper's figure, groups apart, a gradient, extreme scores" {
    npy z.npy '<f4' 4 '\xcd\xcc\x4c\x3e\xcd\xcc\xcc\xbd\x00\x00\x00\x3f\x9a\x99\x99\x3e'
    npy profit.npy '<f4' 4 '\x00\x00\xc8\x42\x00\x00\xa0\xc1\x00\x00\xa0\x40\x00\x00\x61\x44'
    npy one.npy '|u1' 4 '\x07\x07\x07\x07'
    npy apart.npy '|u1' 4 '\x01\x02\x03\x04'
    run "$XENT" loss pa_bce --logits z.npy --targets profit.npy --extra group=one.npy --grad g.npy --json
    [[ "$status" -eq 0 && "$output" == '{"loss":2.30383'*',"per_sample":null}' ]]
    [ "$(wc -c < g.npy)" -eq 144 ]
    run "$XENT" loss pa_bce --logits z.npy --targets profit.npy --extra group=apart.npy --json
    [ "$output" = '{"loss":0,"per_sample":null}' ]
    npy far.npy '<f4' 4 '\x00\x40\x1c\x46\x00\x40\x1c\xc6\x00\x00\x00\x00\x00\x00\x00\x00'
    run "$XENT" loss pa_bce --logits far.npy --targets profit.npy --extra group=one.npy --json
    [[ "$status" -eq 0 && "$output" == '{"loss":'[0-9]* ]]
    fails 2 'loss: --extra group=FILE is missing' "$XENT" loss pa_bce --logits z.npy --targets profit.npy
}

@test "losses of very many labels of arrays: the paper's figures and refusals" {
    npy z.npy '<f4' '1, 5' '\x00\x00\x40\x40\x00\x00\x80\x3f\x00\x00\x00\x40\x00\x00\x00\x00\x00\x00\x80\xbf'
    npy y.npy '<f4' '1, 5' '\x00\x00\x80\x3f\x00\x00\x80\x3f\0\0\0\0\0\0\0\0\0\0\0\0'
    npy none.npy '<f4' '1, 5' '\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0'
    value() { "$XENT" loss "$1" --logits z.npy --targets y.npy --json | sed 's/{"loss":\([0-9.]*\),.*/\1/'; }
    [[ $(value decoupled_softmax) == 0.90101* ]]
    [[ $(value softmax_multi) == 2.90382* ]]
    [[ $(value bce_multi) == 0.69903* ]]
    [[ $(value '{"type": "soft_topk", "k": 2}') == 0.68625* ]]
    fails 1 '*targets: row 0 has no positive label' "$XENT" loss decoupled_softmax --logits z.npy --targets none.npy
    fails 2 '*k: 5 of 5 labels; it must be less than their number' "$XENT" loss soft_topk --logits z.npy --targets y.npy
    # an array of drawn positives is a function of the seed
    drawn() { "$XENT" loss '{"type": "decoupled_softmax", "sample_positives": true}' --logits z.npy --targets y.npy --seed "$1" --json; }
    [ "$(drawn 1)" = "$(drawn 1)" ]
    [ "$(for seed in 1 2 3 4 5 6 7 8; do drawn $seed; done | sort -u | wc -l)" -eq 2 ]
}

@test "a ranker trains on groups, resumes to the same bits, and is measured by what its order is worth" {
    "$XENT" train "$ranker" --quiet -o whole
    "$XENT" train "$ranker" --set train.epochs=2 --quiet -o parts
    "$XENT" train "$ranker" --resume --quiet -o parts
    cmp whole/checkpoints/last.safetensors parts/checkpoints/last.safetensors
    run "$XENT" eval whole --resamples 20 --json
    [[ "$status" -eq 0 && "$output" == *'"n":60,'*'"captured_pnl@5%":'*'"financial_loss":'*'"mrr":'*'"ndcg@10":'* ]]
    [[ "$output" != *rmse* ]]
    [ "$("$XENT" predict whole | wc -l)" -eq 61 ]
    # labels in place of profits: the same metrics beside those of labels
    "$XENT" train "$ranker" --set data.target=label --set loss=bce --set model.tanh=false --quiet -o labels
    run "$XENT" eval labels --resamples 0 --json
    [[ "$output" == *'"auroc":'*'"captured_pnl@5%":'*'"ndcg@5":'* ]]
}

@test "predictions do not depend on how groups are put into batches" {
    "$XENT" train "$ranker" --quiet -o run
    "$XENT" predict run > many.csv
    "$XENT" predict run --set train.eval_batch_size=1 > one.csv
    paste -d, many.csv one.csv | awk -F, 'NR > 1 { d = $1 - $2; if (d > 1e-5 || d < -1e-5) exit 1 }'
}

@test "a table names its groups; what cannot be is said with the line" {
    printf 'query,a,b,profit\n1,1,2,5\n1,2,1,7\n2,3,1,2\n2,3,4,-5\n' > t.csv
    "$XENT" train "$table" --quiet -o run
    [ "$("$XENT" predict run --split train | wc -l)" -eq 5 ]
    printf 'query,a,b,profit\n1,1,2,5\n2,2,1,7\n2,3,1,2\n1,3,4,-5\n' > t.csv
    fails 1 '*t.csv:5: column query: group "1" goes on after another began; sort the rows by group' \
        "$XENT" train "$table" -o bad
    printf 'query,a,b,profit\n1,1,2,5\n1,2,1,nan\n' > t.csv
    fails 1 '*t.csv:3: column profit: no target*' "$XENT" train "$table" -o bad
    fails 1 '*t.csv: data.group: no column is named "session"*' "$XENT" train "$table" --set data.group=session -o bad
    printf 'query,a,b,profit\n1,1,2,5\n1,2,1,7\n2,3,1,2\n2,3,4,-5\n' > t.csv
    run "$XENT" train "$table" --set data.group=null -o bad
    [ "$status" -ne 0 ] && [[ "$output" == *'pa_bce compares members of groups, and the data has none; name their column in data.group' ]]
    [ ! -e bad ]
}

@test "extras of files reach the loss that takes them" {
    printf 'a,b,y,t0,t1\n' > t.csv
    for i in 1 2 3 4 5 6 7 8; do echo "$i,0.$i,$((i % 2)),0.5,-$i"; done >> t.csv
    config='{"data": {"type": "csv", "path": "t.csv", "target": "y", "extras": {"teacher_logits": ["t0", "t1"]}},
             "model": {"type": "mlp", "hidden": [4]}, "train": {"epochs": 1, "report": false}, "loss": "kd"}'
    "$XENT" train "$config" --quiet -o run
    # only the features are features
    head -c 4000 run/checkpoints/best.safetensors | grep -aqF 'feature_names\":[\"a\",\"b\"]'
    run "$XENT" train "$config" --set 'data.extras={"reward": "t0"}' -o none
    [ "$status" -ne 0 ] && [[ "$output" == *'kd needs the extra "teacher_logits", which neither the data (data.extras) nor this objective gives' ]]
    run "$XENT" train "$config" --set 'data.extras={"teacher_logits": "t0"}' -o none
    [ "$status" -ne 0 ] && [[ "$output" == *'teacher_logits'* ]]
    fails 2 '*data: extras.group: this name is taken; the key group names its column' \
        "$XENT" train "$config" --set 'data.extras={"group": "t0"}' -o none
    [ ! -e none ]
}

@test "data with groups and labels' features is written, and read back to the same bits" {
    "$XENT" data "$ranker" -o traders.npz
    "$XENT" data "$ranker" -o traders.csv
    [ "$(head -1 traders.csv)" = "x0,x1,x2,x3,x4,x5,x6,x7,x8,x9,x10,x11,group,profit,y0" ]
    "$XENT" data "$ranker" --set data.volatility=0 -o zero.csv
    cmp traders.csv zero.csv
    "$XENT" data "$ranker" --set data.volatility=4 -o volatile.csv
    [ "$(head -1 volatile.csv)" = "x0,x1,x2,x3,x4,x5,x6,x7,x8,x9,x10,x11,x12,x13,x14,x15,group,profit,y0" ]
    [ "$(cut -d, -f1-12 traders.csv)" = "$(cut -d, -f1-12 volatile.csv)" ]
    [ "$(cut -d, -f14 traders.csv)" != "$(cut -d, -f18 volatile.csv)" ]
    fails 2 '*data.volatility: expected a number between 0 and 1000, got -1' "$XENT" data "$ranker" --set data.volatility=-1 -o none.csv
    "$XENT" train "$ranker" --set data.normalize=false --quiet -o made
    "$XENT" train "$ranker" --set 'data={"type": "npz", "path": "traders.npz", "group": "group", "extras": ["profit"]}' --quiet -o read
    [ "$("$XENT" predict made)" = "$("$XENT" predict read)" ]
    [ "$("$XENT" eval made --json --resamples 0)" = "$("$XENT" eval read --json --resamples 0)" ]
    run "$XENT" train "$ranker" --set 'data={"type": "npz", "path": "traders.npz", "group": "session"}' -o none
    [ "$status" -eq 1 ] && [[ "$output" == *'traders.npz: no array "session"' ]]
    "$XENT" data "$many" -o many.npz
    "$XENT" train "$many" --quiet -o made2
    "$XENT" train "$many" --set 'data={"type": "npz", "path": "many.npz", "label_features": "label_features"}' --quiet -o read2
    [ "$("$XENT" predict made2)" = "$("$XENT" predict read2)" ]
}

@test "a dual encoder keeps its labels, and is measured at the top" {
    for loss in decoupled_softmax softmax_multi bce_multi '{"type": "soft_topk", "k": 2, "iters": 20}'; do
        "$XENT" train "$many" --set "loss=$loss" --quiet --force -o run
    done
    run "$XENT" eval run --resamples 20 --json
    [[ "$status" -eq 0 && "$output" == *'"MRR@10":'*'"nDCG@5":'*'"R@10":'*'"P@5":'*'"PSP@5":'* ]]
    [[ "$output" != *'"R@50"'* ]]
    head -c 6000 run/checkpoints/best.safetensors | grep -aq '"labels.features"'
    "$XENT" train "$many" --set model.share=false --quiet -o apart
    run "$XENT" train "$many" --set data.labels=2 --set 'loss={"type": "soft_topk", "k": 1, "sample_positives": true}' -o none
    [ "$status" -eq 1 ] && [[ "$output" == *'data: training sample '*': targets: row 0 leaves 1 labels'* ]]
}

@test "labels are compared with some of the others, resumed to the same bits; what cannot be is said" {
    hard='{"type": "sampled_labels", "negatives": "hard", "hard_topk": 5, "hard_refresh_epochs": 2}'
    "$XENT" train "$many" --set "objective=$hard" --set train.epochs=4 --quiet -o whole
    "$XENT" train "$many" --set "objective=$hard" --set train.epochs=3 --quiet -o parts
    "$XENT" train "$many" --set "objective=$hard" --set train.epochs=4 --resume --quiet -o parts
    cmp whole/checkpoints/last.safetensors parts/checkpoints/last.safetensors
    "$XENT" train "$many" --set objective=sampled_labels --set loss=bce_multi --quiet -o batch
    "$XENT" eval batch --resamples 0 --json | grep -q '"P@5":'
    fails 2 '*sampled_labels wants a loss of any of the labels, such as decoupled_softmax; soft_topk wants all' \
        "$XENT" train "$many" --set objective=sampled_labels --set loss=soft_topk -o none
    fails 2 '*sampled_labels wants a model that scores some labels without the others*; mlp does not' \
        "$XENT" train "$many" --set objective=sampled_labels --set model=mlp -o none
    [ ! -e none ]
}

@test "scores of arrays are measured inside groups" {
    # scores 0.2 -0.1 0.5 0.3 in groups of two, worth 100 -20 5 900: the first group is in order, the second is not
    npy z.npy '<f4' 4 '\xcd\xcc\x4c\x3e\xcd\xcc\xcc\xbd\x00\x00\x00\x3f\x9a\x99\x99\x3e'
    npy y.npy '<f4' 4 '\x00\x00\xc8\x42\x00\x00\xa0\xc1\x00\x00\xa0\x40\x00\x00\x61\x44'
    npy g.npy '|u1' 4 '\x01\x01\x07\x07'
    npy mixed.npy '|u1' 4 '\x01\x07\x01\x07'
    run "$XENT" eval --logits z.npy --targets y.npy --group g.npy --resamples 0 --json
    [[ "$status" -eq 0 && "$output" == *'"captured_pnl@1%":0.105,'*'"financial_loss":452.5,"mrr":0.75,"ndcg@1":0.502777778'* ]]
    fails 1 'mixed.npy: row 2: group 1 goes on after another began; sort the samples by group' \
        "$XENT" eval --logits z.npy --targets y.npy --group mixed.npy
    fails 2 '--group FILE is missing: ranking is measured inside groups' "$XENT" eval --logits z.npy --targets y.npy --kind ranking
    fails 2 '--group: does not apply to a model' "$XENT" eval somewhere --group g.npy
}

@test "in_batch trains a dual encoder on queries, resumes to the same bits, and refuses what it cannot compare" {
    retrieval='{"data": {"type": "retrieval", "documents": 90, "count": 60, "test_count": 20}, "loss": "mw", "objective": "in_batch",
                "model": {"type": "dual_encoder", "share": false, "dim": 6, "temperature": 1}, "optimizer": "adam",
                "train": {"epochs": 2, "batch_size": 15, "report": false}}'
    "$XENT" train "$retrieval" --quiet -o whole
    "$XENT" train "$retrieval" --set train.epochs=1 --quiet -o part
    "$XENT" train "$retrieval" --resume --quiet -o part
    cmp whole/checkpoints/last.safetensors part/checkpoints/last.safetensors
    run "$XENT" eval whole
    [[ "$output" == *AUC@50* && "$output" == *MRR@10* && "$output" == *nDCG@10* && "$output" != *AUC@500* ]]
    "$XENT" train "$retrieval" --set train.batch_size=1 --set train.epochs=1 --quiet -o single
    fails 2 '*: loss: in_batch wants a loss of scores, such as mw or infonce; arcface is none' "$XENT" train "$retrieval" --set loss=arcface -o a
    fails 2 '*: objective: in_batch wants one class a sample*' "$XENT" train "$many" --set objective=in_batch -o a
    [ ! -e a ]
}
