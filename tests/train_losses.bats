# Losses in training whose logits are not one a class, whose keys must fit the data, or that move while a model trains.

load runs

glyphs='{"data": {"type": "glyphs", "count": 200, "val_count": 40, "test_count": 40}, "model": {"type": "mlp", "hidden": [16]},
         "optimizer": "adam", "train": {"batch_size": 20, "epochs": 1, "report": false}}'
values='{"data": {"type": "tabular", "task": "regression", "count": 1000, "val_count": 100, "test_count": 300},
         "model": {"type": "mlp", "hidden": [32]}, "optimizer": {"type": "adam", "lr": 0.01},
         "train": {"batch_size": 50, "epochs": 6, "report": false}}'

setup() {
    cd "$BATS_TEST_TMPDIR"
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

@test "sums of losses of values and of labels train; kinds of targets do not mix" {
    "$XENT" train "$values" --set 'loss={"type": "sum", "terms": ["mse", {"type": "huber", "weight": 2}]}' --quiet -o values
    above "$("$XENT" eval values --json | figure r2)" 0.5
    fails 2 '*: loss: sum wants labels, the data has classes' \
        "$XENT" train "$glyphs" --set 'loss={"type": "sum", "terms": ["bce", "dice"]}' --quiet -o no
    fails 2 '*: loss.terms\[1\]: ce wants classes or probabilities, the terms before it values' \
        "$XENT" train "$glyphs" --set 'loss={"type": "sum", "terms": ["mse", "ce"]}' --quiet -o no
    # a ramp of a loss that is no softmax predicts as that loss
    for loss in '"taylor_softmax"' '{"type": "ramp", "base": "taylor_softmax", "from": 1}'; do
        "$XENT" train "$glyphs" --set "loss=$loss" --quiet --force -o taylor
        "$XENT" predict taylor >> taylor.csv
    done
    awk '{ line[NR] = $0 } END { for (i = 1; i <= NR / 2; i++) if (line[i] != line[NR / 2 + i]) exit 1 }' taylor.csv
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
    sum='{"type": "sum", "terms": ["aldr_kl", {"type": "elr", "weight": 0.5}]}'
    for case in "20 elr" "25 elr" "25 $sum"; do
        steps=${case%% *} loss=${case#* }
        rm -rf part whole
        "$XENT" train "$glyphs" --set "loss=$loss" --set train.epochs=3 --set train.steps=$steps --quiet -o part
        "$XENT" train "$glyphs" --set "loss=$loss" --set train.epochs=3 --set train.steps=null --resume --quiet -o part
        "$XENT" train "$glyphs" --set "loss=$loss" --set train.epochs=3 --quiet -o whole
        for file in checkpoints/{last,best,last.state}.safetensors metrics.jsonl; do cmp part/$file whole/$file; done
    done
}

@test "a sum of terms that keep states of samples and of the run is resumed to the same bits, in any number of threads" {
    sum='{"type": "sum", "terms": [{"type": "bias", "weight": {"type": "exponential", "gamma": 0.5, "to": 0.2}},
          {"type": "entropy", "weight": -0.1}, {"type": "elr", "weight": 0.5}, {"type": "mw", "weight": 0.1},
          {"type": "sum", "terms": ["aldr_kl", {"type": "bias", "alpha": 0.1}], "weight": 0.3}]}'
    set -- "$glyphs" --set 'model={"type": "cnn", "channels": [4, 8], "hidden": []}' --set "loss=$sum" --set train.epochs=3 --set train.log_every=5 --quiet
    "$XENT" train "$@" --threads 1 -o whole
    "$XENT" train "$@" --threads 2 --set train.steps=15 -o part # within the second epoch
    "$XENT" train "$@" --threads 4 --set train.steps=null --resume -o part
    for file in checkpoints/{last,best,last.state}.safetensors metrics.jsonl; do cmp part/$file whole/$file; done
    # each bias has a state of its own, samples have elr's means and aldr_kl's lambda
    grep -aq '"loss_run_state":{"dtype":"F32","shape":\[4\]' whole/checkpoints/last.state.safetensors
    grep -aq '"loss_state":{"dtype":"F32","shape":\[280,11\]' whole/checkpoints/last.state.safetensors
    grep -q '"0.weight_mean":.*"4.1.weight_mean":' whole/metrics.jsonl
    fails 2 '*: loss: term 1, bias, looks at the layer stages.0.0.0, a term before it at stages.1.pool; name one' \
        "$XENT" train "$@" --set 'loss={"type": "sum", "terms": ["bias", {"type": "bias", "tap": "stages.0.0.0"}]}' -o no
    fails 2 '*: loss: cosface is of cosines, ce is not; *' \
        "$XENT" train "$@" --set 'loss={"type": "sum", "terms": ["ce", "cosface"]}' -o no
}

@test "losses of whole batches, of scores and of cosines train as terms as they do alone" {
    traders='{"data": {"type": "traders", "count": 40}, "model": "mlp", "train": {"epochs": 2, "report": false}}'
    for loss in pa_bce mse; do
        "$XENT" train "$traders" --set "loss=$loss" --quiet --force -o alone
        "$XENT" train "$traders" --set "loss={\"type\": \"sum\", \"terms\": [\"$loss\"]}" --quiet --force -o sum
        [ "$("$XENT" eval alone --json)" = "$("$XENT" eval sum --json)" ]
    done
    "$XENT" train "$traders" --set 'loss={"type": "sum", "terms": ["pa_bce", {"type": "mse", "weight": 0.1}]}' --quiet -o both
    pa=$("$XENT" eval both --set loss=pa_bce --json | figure loss)
    mse=$("$XENT" eval both --set loss=mse --json | figure loss)
    both=$("$XENT" eval both --json | figure loss)
    awk "BEGIN { d = $both - $pa - 0.1 * $mse; exit !(d < 1e-6 && d > -1e-6) }"
    "$XENT" train "$glyphs" --set 'loss={"type": "sum", "terms": ["cosface", "arcface"]}' --quiet -o cosines
    "$XENT" check "$glyphs" --set 'loss={"type": "sum", "terms": ["cosface", "arcface"]}' | grep -q cosine_linear
    "$XENT" eval cosines --json | figure accuracy
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

@test "a scheduled weight: the same bits when resumed and in any number of threads, measured at its end" {
    moving='{"type": "sum", "terms": ["ce", {"type": "entropy", "weight": {"type": "cosine", "from": -0.4, "to": 0.1}}]}'
    set -- "$glyphs" --set "loss=$moving" --set train.epochs=4 --quiet
    "$XENT" train "$@" --threads 1 -o whole
    # a run that is stopped within an epoch and goes on; its plan is the same
    "$XENT" train "$@" --set train.save_every=1 --threads 2 -o part & run=$!
    until [ -e part/checkpoints/last.safetensors ]; do kill -0 $run || break; done
    kill $run || true
    wait $run || true
    "$XENT" train "$@" --set train.save_every=1 --threads 4 --resume -o part
    cmp <(tail -c 20000 whole/checkpoints/last.safetensors) <(tail -c 20000 part/checkpoints/last.safetensors)
    cmp whole/metrics.jsonl part/metrics.jsonl
    end='{"type": "sum", "terms": ["ce", {"type": "entropy", "weight": 0.1}]}'
    [ "$("$XENT" eval whole --json | figure loss)" = "$("$XENT" eval whole --set "loss=$end" --json | figure loss)" ]
    # the first step has the first weight
    first='{"type": "sum", "terms": ["ce", {"type": "entropy", "weight": -0.4}]}'
    "$XENT" train "$glyphs" --set "loss=$first" --set train.steps=1 --quiet -o first
    [ "$(grep -a loss whole/metrics.jsonl | head -1)" = "$(head -1 first/metrics.jsonl)" ]
    [ "$(sed -n 2p whole/metrics.jsonl)" != "$(sed -n 2p first/metrics.jsonl)" ]
}

@test "weights of objectives and teachers move by schedules; without a plan or with plateau they are refused" {
    set -- "$glyphs" --set train.epochs=2 --quiet
    "$XENT" train "$@" --set 'objective={"type": "trades", "beta": {"type": "linear", "from": 0, "to": 6}}' -o trades
    "$XENT" train "$@" -o teacher
    "$XENT" distill "$@" --set 'distill={"type": "kd", "teacher": "teacher", "kd_weight": {"type": "cosine", "from": 2, "to": 0}}' -o moves
    "$XENT" distill "$@" --set 'distill={"type": "kd", "teacher": "teacher", "kd_weight": 2}' -o stays
    [ "$(head -1 moves/metrics.jsonl)" = "$(head -1 stays/metrics.jsonl)" ]
    [ "$(sed -n 20p moves/metrics.jsonl)" != "$(sed -n 20p stays/metrics.jsonl)" ]
    moving='{"type": "symmetric_ce", "beta": {"type": "linear", "to": 0.5}}'
    fails 2 "config: loss: a weight moves by linear, which needs train.epochs or train.steps; *" \
        "$XENT" train "$glyphs" --set "loss=$moving" --set train.epochs=null --set train.seconds=1 --quiet -o no
    fails 2 "--set loss:1: loss.beta: plateau follows the validation loss*" \
        "$XENT" train "$glyphs" --set 'loss={"type": "symmetric_ce", "beta": "plateau"}' --quiet -o no
    [ ! -e no ]
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
    "$XENT" train "$@" --set train.log_every=1 --set data.blank=0.5 --set train.epochs=1 -o blank
    grep -q '"weight_mean":0.7[0-9]*,"weight_min":0.[67][0-9]*,"weight_max":1.*"feat_var_mean":.*"weight_marked":.*"weight_unmarked":' blank/metrics.jsonl
    "$XENT" train "$@" --set loss.tap=stages.0.0.0 -o early
    ! cmp -s early/checkpoints/last.safetensors whole/checkpoints/last.safetensors
    fails 2 '*: loss.tap: the model has no feature map "x"; its layers are stages.0.0.0, *' "$XENT" train "$@" --set loss.tap=x -o a
    fails 2 '*: loss.tap: the model has no feature map "last_conv"; *' "$XENT" train "$glyphs" --set loss=bias --set 'model={"type": "mlp"}' -o a
}

@test "the information bottleneck learns values from the inputs and the features of a batch" {
    "$XENT" train "$values" --set loss=cs_ib --set train.epochs=20 --quiet -o a
    above 1 "$("$XENT" eval a --json | figure mse)"
}

@test "contrastive learning keeps layers for a second run, and what it cannot compare is refused" {
    views() { "$XENT" train "$glyphs" --set objective=contrastive --set 'train.transforms=["crop"]' --set model.hidden='[16, 8]' "$@"; }
    for loss in nt_xent infonce mw; do
        views --set "loss=$loss" --set train.batch_size=33 --quiet -o "$loss" # 200 = 6 * 33 + 2
        views --set "loss=$loss" --set train.batch_size=199 --quiet -o "$loss-1"
    done
    views --set loss=supcon --set objective.positives=classes --quiet -o supcon
    fails 1 '*/best.safetensors: its outputs are embeddings of the objective contrastive*' "$XENT" eval nt_xent
    "$XENT" train "$glyphs" --set train.init_from=nt_xent/checkpoints/last.safetensors \
        --set optimizer.groups='[{"match": "layers.0.*", "frozen": true}]' --quiet -o probe
    [ "$("$XENT" eval probe --json | figure accuracy)" ]
    fails 2 '*: loss: contrastive wants a loss of embeddings or of scores*; mse is none' views --set loss=mse -o a
    fails 2 '*: loss: contrastive wants *; coral is none' views --set loss=coral -o a
    fails 2 '*: objective: contrastive makes views by train.transforms; *' views --set loss=nt_xent --set 'train.transforms=[]' -o a
    fails 2 '*: train.transforms: mixup mixes samples; *' views --set loss=nt_xent --set 'train.transforms=["mixup"]' -o a
    fails 2 '*: objective.positives: classes need *' views --set loss=infonce --set objective.positives=classes -o a
    fails 2 '*: train.batch_size: contrastive *' views --set loss=nt_xent --set train.batch_size=1 -o a
    views --set loss=nt_xent --set train.steps=4 --quiet -o part
    views --set loss=nt_xent --quiet -o part --resume --set train.steps=null
    views --set loss=nt_xent --quiet -o whole
    cmp part/checkpoints/last.state.safetensors whole/checkpoints/last.state.safetensors
}

@test "a factored head trains many classes, resumes to the same bits, and refuses what it cannot do exactly" {
    words='{"data": {"type": "markov-text", "count": 4000, "val_count": 500, "test_count": 500, "length": 16},
            "model": {"type": "transformer", "layers": 1, "width": 16, "heads": 2, "tie": false}, "loss": "z_loss",
            "objective": {"type": "factored_output", "lr": 1, "refactor_every": 5}, "train": {"epochs": 2, "report": false}}'
    "$XENT" train "$words" --quiet -o words
    above "$("$XENT" eval words --json | figure accuracy)" 0.1
    factored() { "$XENT" train "$glyphs" --set loss=z_loss --set 'objective={"type": "factored_output", "refactor_every": 4}' "$@"; }
    factored --quiet -o whole --set train.epochs=2
    factored --quiet -o part --set train.epochs=2 --set train.steps=6
    factored --quiet -o part --resume --set train.epochs=2 --set train.steps=null
    cmp part/checkpoints/last.state.safetensors whole/checkpoints/last.state.safetensors
    cmp part/checkpoints/best.safetensors whole/checkpoints/best.safetensors
    fails 2 '*: loss: factored_output wants a loss of the outputs*; ce is none' factored --set loss=ce -o a
    fails 2 '*: train.accumulate: *' factored --set train.accumulate=2 -o a
    fails 2 '*: train.ema: *' factored --set train.ema=0.9 -o a
    fails 2 '*: train.transforms: mixup mixes targets; *' factored --set 'train.transforms=["mixup"]' -o a
    fails 2 '*: objective: factored_output wants one class a sample' "$XENT" train "$values" --set loss=mse_onehot --set objective=factored_output -o a
    fails 2 '*: objective: factored_output wants a model with a linear head*' factored --set model=skipnet -o a
    [ ! -e a ]
}

@test "NoiseFiT, NEFTune and R-Drop train a transformer, resume to the same bits, and want blocks" {
    words='{"data": {"type": "markov-text", "count": 2000, "val_count": 300, "test_count": 300, "length": 16},
            "model": {"type": "transformer", "layers": 2, "width": 16, "heads": 2, "dropout": 0.1}, "loss": "noisefit",
            "objective": {"type": "noisy", "layers": 1}, "optimizer": "adam", "train": {"epochs": 2, "batch_size": 32, "report": false}}'
    "$XENT" train "$words" --quiet -o whole
    "$XENT" train "$words" --quiet -o part --set train.steps=3
    "$XENT" train "$words" --quiet -o part --resume --set train.steps=null
    cmp part/checkpoints/last.state.safetensors whole/checkpoints/last.state.safetensors
    [ "$("$XENT" eval whole --json | figure accuracy)" ]
    "$XENT" train "$words" --quiet -o neftune --set loss=ce --set 'objective={"type": "noisy", "noise": "embeddings"}'
    "$XENT" train "$words" --quiet -o rdrop --set loss.mode=rdrop --set 'objective={"type": "noisy", "noise": "dropout"}'
    fails 2 '*: objective.layers: 3 of 2 blocks' "$XENT" train "$words" --set objective.layers=3 -o a
    fails 2 '*: objective.noise: the model mlp has no blocks; *' "$XENT" train "$glyphs" --set objective=noisy -o a
    fails 2 '*: loss: noisefit needs the extra "noisy_logits_1"*' "$XENT" train "$glyphs" --set loss=noisefit -o a
}

steps='{"data": {"type": "random-mdp", "count": 400}, "model": {"type": "mlp", "hidden": [16]}, "objective": "fitted_q",
        "loss": {"type": "hl_gauss", "vmin": -5, "vmax": 10, "bins": 20}, "optimizer": "adam",
        "train": {"batch_size": 50, "epochs": 4, "report": false}}'

@test "fitted Q learns the values of actions by every loss of values, and what fits it not is refused" {
    mkdir runs
    for loss in mse huber '{"type": "two_hot", "bins": 20}' '{"type": "c51", "bins": 20}'; do
        name=$(echo "$loss" | tr -dc a-z0-9)
        "$XENT" train "$steps" --set "loss=$loss" --quiet -o "runs/$name"
        [ "$("$XENT" eval "runs/$name" --json | figure greedy_value)" ] # of c51 there is no loss
        "$XENT" predict "runs/$name" > p.csv
        awk -F, 'NF != 3 { exit 1 } END { exit NR != 26 }' p.csv
    done
    above "$("$XENT" eval runs/mse --json | figure greedy_value)" 0.5
    fails 2 '*: loss.gamma is 0.5, objective.gamma 0.9; *' "$XENT" train "$steps" --set 'loss={"type": "c51", "gamma": 0.5}' -o a
    fails 2 '*: objective.gamma is 0.8, data.gamma, *' "$XENT" train "$steps" --set objective.gamma=0.8 -o a
    fails 2 '*: loss: fitted_q wants a loss of one value*; ce is none' "$XENT" train "$steps" --set loss=ce -o a
    fails 2 '*: loss: fitted_q wants *; pinball is none' "$XENT" train "$steps" --set loss=pinball -o a
    fails 2 '*: objective: fitted_q wants steps of a decision process*' "$XENT" train "$glyphs" --set objective=fitted_q -o a
    fails 2 '*: objective: fitted_q wants steps *; the data has no extra "action" (data.extras)' "$XENT" train "$values" --set objective=fitted_q -o a
    fails 2 '*: data.standardize_targets: *' "$XENT" train "$steps" --set data.standardize_targets=true -o a
    fails 2 '*: train.transforms: fitted_q *' "$XENT" train "$steps" --set train.transforms='["noise"]' -o a
    fails 2 '*: loss: c51 wants probabilities, the data has values' "$XENT" train "$values" --set loss=c51 -o a
    [ ! -e a ]
}

# A corridor of five places; a step into the last is worth 1 and ends the episode.
corridor() {
    echo "s0,s1,s2,s3,s4,move,reward,n0,n1,n2,n3,n4,done"
    awk 'function place(p, i) { text = ""; for (i = 0; i < 5; i++) text = text (i == p) ","; return text }
         BEGIN { for (k = 0; k < 40; k++) for (s = 0; s < 4; s++) for (m = 0; m < 2; m++) {
             next_place = m ? s + 1 : s > 0 ? s - 1 : 0
             ends = next_place == 4
             print place(s) (m ? "right" : "left") "," ends "," place(next_place) ends
         } }'
}

@test "fitted Q from a table of steps: actions are its classes, values are predicted and not measured" {
    corridor > steps.csv
    table='{"data": {"type": "csv", "path": "steps.csv", "target": "move", "split": [0.8, 0.2],
                     "extras": {"reward": "reward", "next": ["n0", "n1", "n2", "n3", "n4"], "done": "done"}},
            "model": {"type": "mlp", "hidden": [32]}, "loss": "mse",
            "objective": {"type": "fitted_q", "gamma": 0.5, "target_period": 20}, "optimizer": {"type": "adam", "lr": 0.01},
            "train": {"batch_size": 32, "steps": 600, "report": false}}'
    "$XENT" train "$table" --quiet -o run
    corridor | sed -n '1p; 2,9p' | cut -d, -f1-5 > places.csv
    "$XENT" predict run places.csv > values.csv
    [ "$(wc -l < values.csv)" -eq 9 ]
    # of a step to the left or right from places 0, ..., 3
    paste -d, values.csv <(echo l,r; for v in .0625,.125 .0625,.25 .125,.5 .25,1; do echo $v; echo $v; done) |
        awk -F, 'NR > 1 { for (i = 1; i < 3; i++) { d = $i - $(i + 2); if (d > 0.05 || d < -0.05) { print; exit 1 } } }'
    run "$XENT" eval run
    [ "$status" -eq 1 ] && [[ "$output" == *'the data says which actions were taken, not what all of them are worth'* ]]
    fails 1 '*data.extras.next: 2 numbers a sample, fitted_q wants 8, as many as the sample has' \
        "$XENT" train "$table" --set 'data.extras.next=["n0", "n1"]' -o none
    fails 2 '*the data has no extra "reward" (data.extras)' \
        "$XENT" train "$table" --set 'data.extras={"done": "done"}' --set 'data.ignore=["reward"]' -o none
    [ ! -e none ]
}

@test "fitted Q from a file with known values is fitted Q from the generator" {
    short=(--set train.epochs=1 --set loss=mse --quiet)
    "$XENT" data "$steps" -o steps.npz
    "$XENT" train "$steps" "${short[@]}" -o made
    read='{"type": "npz", "path": "steps.npz", "extras": ["action", "reward", "next", "done"]}'
    "$XENT" train "$steps" --set "data=$read" "${short[@]}" -o read
    [ "$("$XENT" predict made)" = "$("$XENT" predict read)" ]
    [ "$("$XENT" eval made --json | figure greedy_value)" = "$("$XENT" eval read --json | figure greedy_value)" ]
}

@test "the target network is resumed" {
    set -- --set objective.target_period=7 --set objective.double=true
    "$XENT" train "$steps" "$@" --set train.epochs=2 --quiet -o part
    "$XENT" train "$steps" "$@" --quiet -o part --resume
    "$XENT" train "$steps" "$@" --quiet -o whole
    cmp part/checkpoints/last.safetensors whole/checkpoints/last.safetensors
    cmp part/checkpoints/last.state.safetensors whole/checkpoints/last.state.safetensors
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

@test "eisl trains a parallel decoder on shuffled targets, which cross-entropy cannot" {
    words='{"data": {"type": "translation", "count": 600, "val_count": 40, "test_count": 100, "words": 8, "length": 6,
                     "noise": "shuffle", "noise_level": 1},
            "model": {"type": "sequential", "head": false, "layers": ["one_hot", "transpose",
                      {"type": "convolution", "channels": 9, "kernel": [3]}, "transpose"]},
            "optimizer": {"type": "adam", "lr": 0.03}, "metrics": ["bleu", "exact_match", "edit_distance", "nll"],
            "train": {"batch_size": 40, "report": false}}'
    "$XENT" train "$words" --set train.steps=60 --quiet -o ce
    "$XENT" train "$words" --set train.steps=200 --set train.init_from=ce/checkpoints/last.safetensors --quiet -o eisl \
        --set 'loss={"type": "eisl", "ngrams": [1, 2], "weights": [0.8, 0.2]}'
    above "$(figure bleu < eisl/summary.json)" 0.9
    above 0.7 "$(figure bleu < ce/summary.json)"
    grep -q '"split":"val","loss":[0-9.]*,"accuracy":' eisl/metrics.jsonl
    [ "$("$XENT" eval eisl --json | figure bleu)" = "$(figure bleu < eisl/summary.json)" ]
    fails 2 "*its tokens stand for no text" "$XENT" generate eisl
    # windows of text predict the next token, which is no sequence to be matched
    fails 2 "*loss: eisl compares a predicted sequence with a whole target*" "$XENT" train \
        '{"data": "markov-text", "model": "transformer", "loss": "eisl"}' --quiet -o text
    fails 2 "*ngrams*9, which does not fit into 6 tokens*" "$XENT" train "$words" --set 'loss={"type": "eisl", "ngrams": [9]}' \
        --quiet -o long
    fails 2 "*only texts of language models*" "$XENT" data "$words" -o words.txt
    "$XENT" data "$words" -o words.npz
}

@test "two networks teach each other, and what cross_teaching cannot use is refused" {
    local data='{"type": "gaussian-mixture", "separation": 8, "count": 600, "val_count": 0, "test_count": 300}'
    twins() { "$XENT" train "{\"data\": $data, \"model\": \"twin\", \"objective\": {\"type\": \"cross_teaching\", \"labeled\": 20, \"rampup\": 0},
        \"optimizer\": {\"type\": \"adam\", \"lr\": 0.01}, \"metrics\": [\"accuracy\"], \"train\": {\"epochs\": 4, \"log_every\": 1}}" --quiet "$@"; }
    twins -o whole
    twins --set train.steps=7 -o part
    twins --set train.steps=null --resume -o part
    for file in checkpoints/{last,last.state}.safetensors metrics.jsonl; do cmp part/$file whole/$file; done
    above "$("$XENT" eval whole --json | figure accuracy)" 0.7
    fails 2 '*: objective: cross_teaching wants two networks; set model to *' twins --set model=mlp -o a
    fails 2 '*: loss: cross_teaching wants a loss of the logits of classes alone, such as ce; coral is none' twins --set loss=coral -o a
    fails 2 '*: objective.teaching: expected cbc, or a loss of *; mse is none' twins --set objective.teaching=mse -o a
    fails 2 '*: objective.teaching: cbc: threshold: 0.2 must be above 1/classes*' twins --set 'objective.teaching={"type": "cbc", "threshold": 0.2}' -o a
    fails 2 '*: objective.labeled: 601 of 600 training samples' twins --set objective.labeled=601 -o a
    fails 2 '*: model: a twin of twins; give one network' twins --set 'model={"type": "twin", "model": "twin"}' -o a
}
