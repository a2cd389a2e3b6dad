# Losses in training whose logits are not one a class, whose keys must fit the data, or that move while a model trains.

glyphs='{"data": {"type": "glyphs", "count": 200, "val_count": 40, "test_count": 40}, "model": {"type": "mlp", "hidden": [16]},
         "optimizer": "adam", "train": {"batch_size": 20, "epochs": 1, "report": false}}'
values='{"data": {"type": "tabular", "task": "regression", "count": 1000, "val_count": 100, "test_count": 300},
         "model": {"type": "mlp", "hidden": [32]}, "optimizer": {"type": "adam", "lr": 0.01},
         "train": {"batch_size": 50, "epochs": 6, "report": false}}'

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

# figure NAME < {"metrics": {..., "NAME": VALUE}}
figure() {
    tr -d ' \t\n' | sed -n "s/.*\"metrics\":{[^}]*\"$1\":\([-0-9.e+]*\).*/\1/p"
}

above() {
    awk -v a="$1" -v b="$2" 'BEGIN { exit !(a > b) }' || { echo "$1 is not above $2"; false; }
}

@test "ordinal losses train on classes: K-1 outputs, K probabilities" {
    for loss in coral corn; do
        "$XENT" train "$glyphs" --set "loss=$loss" --quiet -o $loss
        [ "$("$XENT" eval $loss --json | figure accuracy)" ]
        "$XENT" predict $loss > p.csv
        awk -F, 'NR > 1 { s = 0; for (i = 1; i <= NF; i++) s += $i; if (NF != 10 || s < 0.999999 || s > 1.000001) exit 1 }' p.csv
        # the description keeps classes and outputs apart
        head -c 4000 $loss/checkpoints/best.safetensors | grep -aq 'classes\\":10,\\"outputs\\":9'
    done
}

@test "accuracy while training is that of the decoded outputs" {
    for loss in coral taylor_softmax spherical_softmax; do
        "$XENT" train "$glyphs" --set "loss=$loss" --quiet -o $loss
        logged=$(grep '"split":"val"' $loss/metrics.jsonl | sed 's/.*"accuracy":\([^,}]*\).*/\1/')
        [ "$logged" = "$("$XENT" eval $loss --split val --json | figure accuracy)" ]
    done
}

@test "regression as classification, quantiles and distributions train on values" {
    i=0
    for loss in '{"type": "hl_gauss", "vmin": -8, "vmax": 8, "bins": 33}' '{"type": "two_hot", "vmin": -8, "vmax": 8, "bins": 33}' \
        crps pinball; do
        for standardize in false true; do
            i=$((i + 1))
            "$XENT" train "$values" --set "loss=$loss" --set data.standardize_targets=$standardize --quiet -o $i
            above "$("$XENT" eval $i --json | figure r2)" 0.5
            [ "$("$XENT" predict $i | head -1)" = value_0 ]
        done
    done
    "$XENT" quantize 1 '{"quantize": "rtn"}' -o q --quiet
    above "$("$XENT" eval q --json | figure r2)" 0.5
}

@test "a loss that the data or the model's outputs do not fit is refused" {
    fails 2 '*: loss: ldam: class_counts: 2 values for 10 classes' "$XENT" train "$glyphs" --set 'loss={"type": "ldam", "class_counts": [1, 2]}' -o a
    fails 2 '*: loss: hl_gauss wants values, the data has classes' "$XENT" train "$glyphs" --set loss=hl_gauss -o a
    fails 2 '*: loss: coral wants one class a sample, the data has tokens' "$XENT" train '{"data": "markov-text", "model": "transformer", "loss": "coral"}' -o a
    [ ! -e a ]
    "$XENT" train "$glyphs" --quiet -o a
    fails 1 '*: loss: coral needs 9 outputs for 10 classes or values, the model has 10' "$XENT" eval a --set loss=coral
    "$XENT" train "$glyphs" --set loss=coral --quiet -o b
    fails 1 '*: loss: what coral makes of the model*' "$XENT" export b --format onnx -o b.onnx
    fails 1 '*: distill: kd compares softmax outputs*' "$XENT" distill "$glyphs" --set loss=coral --set 'distill={"type": "kd", "teacher": "a"}' -o c
}

@test "the running means of elr are resumed between and inside later epochs" {
    for steps in 20 25; do
        rm -rf part whole
        "$XENT" train "$glyphs" --set loss=elr --set train.epochs=3 --set train.steps=$steps --quiet -o part
        "$XENT" train "$glyphs" --set loss=elr --set train.epochs=3 --set train.steps=null --resume --quiet -o part
        "$XENT" train "$glyphs" --set loss=elr --set train.epochs=3 --quiet -o whole
        for file in checkpoints/{last,best,last.state}.safetensors metrics.jsonl; do cmp part/$file whole/$file; done
    done
}

@test "a ramp is resumed to the same bits, and measured at its end" {
    ramp='{"type": "sum", "terms": ["ce", {"type": "ramp", "base": "entropy", "weight": -0.2, "end": 0.5}]}'
    set -- "$glyphs" --set "loss=$ramp" --set train.epochs=4 --set train.save_every=1 --quiet
    "$XENT" train "$@" -o whole
    "$XENT" train "$@" -o part & run=$!
    until [ -e part/checkpoints/last.safetensors ]; do kill -0 $run || break; done
    kill $run || true
    wait $run || true
    "$XENT" train "$@" --resume -o part
    cmp whole/checkpoints/last.safetensors part/checkpoints/last.safetensors
    end='{"type": "sum", "terms": ["ce", {"type": "entropy", "weight": -0.2}]}'
    [ "$("$XENT" eval whole --json | figure loss)" = "$("$XENT" eval whole --set "loss=$end" --json | figure loss)" ]
    "$XENT" train "$glyphs" --set "loss=$end" --set train.epochs=4 --set train.save_every=1 --quiet -o flat
    ! cmp -s whole/checkpoints/last.safetensors flat/checkpoints/last.safetensors
    [ "$(grep -a loss whole/metrics.jsonl | head -1)" != "$(head -1 flat/metrics.jsonl)" ]
}

@test "a loss of cosines gives the model a head of cosines, and beats chance" {
    for loss in normalized_softmax cosface arcface sphereface; do
        "$XENT" train "$glyphs" --set loss=$loss --set data.count=1000 --set train.epochs=10 --quiet -o $loss
        above "$("$XENT" eval $loss --json | figure accuracy)" 0.25
    done
    run "$XENT" check "$glyphs" --set loss=arcface
    [[ "$output" == *cosine_linear* ]]
    fails 2 '*: loss: arcface wants one class a sample, the data has tokens' "$XENT" train '{"data": "markov-text", "model": "transformer", "loss": "arcface"}' -o a
    fails 2 '*: loss: nt_xent compares embeddings of views*' "$XENT" train "$glyphs" --set loss=nt_xent -o a
    fails 2 '*: loss: supcon compares embeddings of views*' "$XENT" train "$glyphs" --set loss=supcon -o a
}

@test "a sum of ordinal losses trains and predicts as they do; terms that want other outputs are refused" {
    ordinal='{"type": "sum", "terms": ["coral", {"type": "corn", "weight": 0.5}]}'
    "$XENT" train "$glyphs" --set "loss=$ordinal" --set train.epochs=10 --set data.count=1000 --quiet -o a
    above "$("$XENT" eval a --json | figure accuracy)" 0.2
    fails 2 '*: loss: sum cannot be had with data of 10 classes a sample' "$XENT" train "$glyphs" --set 'loss={"type": "sum", "terms": ["coral", "ce"]}' -o b
}

@test "the bias loss looks at feature maps, and its least variance is resumed" {
    set -- "$glyphs" --set 'model={"type": "cnn", "channels": [4, 8], "hidden": []}' --set loss=bias --quiet
    "$XENT" train "$@" --set train.epochs=2 -o whole
    "$XENT" train "$@" --set train.epochs=2 --set train.steps=5 -o part
    "$XENT" train "$@" --set train.epochs=2 --set train.steps=null --resume -o part
    for file in checkpoints/{last,last.state}.safetensors metrics.jsonl; do cmp part/$file whole/$file; done
    "$XENT" train "$@" --set loss.tap=stages.0.0.0 -o early
    ! cmp -s early/checkpoints/last.safetensors whole/checkpoints/last.safetensors
    fails 2 '*: loss.tap: the model has no feature map "x"; its layers are stages.0.0.0, *' "$XENT" train "$@" --set loss.tap=x -o a
    fails 2 '*: loss.tap: the model has no feature map "last_conv"; *' "$XENT" train "$glyphs" --set loss=bias --set 'model={"type": "mlp"}' -o a
}

@test "the information bottleneck learns values from the inputs and the features of a batch" {
    "$XENT" train "$values" --set loss=cs_ib --set train.epochs=20 --quiet -o a
    above 1 "$("$XENT" eval a --json | figure mse)"
}

@test "cce in training: a language model's head forms no logits, and learns the same" {
    text='{"data": {"type": "markov-text", "count": 2000, "val_count": 200, "test_count": 200, "length": 8},
           "model": {"type": "transformer", "layers": 1, "width": 16, "heads": 2},
           "train": {"steps": 30, "batch_size": 8, "report": false}}'
    "$XENT" train "$text" -o ce --quiet
    "$XENT" train "$text" --set loss=cce -o cce --quiet
    expected=$(figure loss < ce/summary.json)
    away() { awk -v a="$expected" -v b="$(figure loss < "$1/summary.json")" 'BEGIN { d = a - b; print d < 0 ? -d : d }'; }
    above 1e-4 "$(away cce)"
    "$XENT" train "$text" --set 'loss={"type": "cce", "softcap": 1, "z_loss": 0.01}' -o capped --quiet
    above "$(away capped)" 0.01
    "$XENT" train "$text" --set 'loss={"type": "cce", "filter_eps": 2}' -o filtered --quiet  # learns nothing
    above "$(figure loss < filtered/summary.json)" "$expected"
    "$XENT" eval capped > /dev/null
    "$XENT" generate capped --tokens 5 > /dev/null
    fails 2 "*loss: shift: the targets of training are shifted already*" "$XENT" train "$text" \
        --set 'loss={"type": "cce", "shift": 1}' -o shifted --quiet
    "$XENT" train "$glyphs" --set loss=cce -o dense --quiet  # no head of words: logits are formed
    "$XENT" train "$glyphs" --set loss=ce -o plain --quiet
    [ "$(figure loss < dense/summary.json)" = "$(figure loss < plain/summary.json)" ]
}
