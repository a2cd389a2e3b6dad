# xent analyze and add-class.
load arrays.bash

setup() {
    cd "$BATS_TEST_TMPDIR"
}

@test "bounds prints T, its inverse and the closed form, and a table" {
    run "$XENT" analyze bounds --set analyze.tau=1.5 --set analyze.gap=0.5
    [ "$status" -eq 0 ]
    [[ "$output" =~ T\ +0\.0746512 ]]
    [[ "$output" =~ inverse\ +1 ]]
    [[ "$output" =~ error_excess\ +T\ +closed_form ]]
    [ "$(grep -c '^ *0.5 *0.0746512 *0.687121$' <<< "$output")" -eq 1 ]
}

images='{"data": {"type": "glyphs", "count": 96, "val_count": 16, "test_count": 16},
         "optimizer": {"type": "adam", "lr": 0.003}, "train": {"batch_size": 8, "epochs": 2, "report": false}'
guide="$images"', "objective": "reconstruction", "model": {"type": "sequential", "head": false, "layers":
        [{"type": "convolution", "channels": 4, "stride": [4]}, "activation",
         {"type": "convolution_transposed", "channels": 1, "kernel": [4], "stride": [4]}, "flatten"]}}'
views="$images"', "model": {"type": "cnn", "channels": [4], "pooling": "average", "hidden": [8]}, "loss": "nt_xent",
        "objective": {"type": "contrastive", "dimension": 4, "guide": "guide", "guide_layer": "layers.1"}}'
views="${views/\"report\": false/\"report\": false, \"transforms\": [\"noise\"]}"

@test "an autoencoder guides batches: fewer of a cluster together, resumed to the same bits, what cannot be is said" {
    "$XENT" train "$guide" --set 'train.transforms=["noise"]' --quiet -o guide
    [ "$("$XENT" predict guide | head -1 | tr ',' '\n' | wc -l)" -eq 784 ]
    "$XENT" eval guide --json --resamples 0 | grep -q '"rmse":'
    "$XENT" analyze batches "$views" --json > strict
    grep -q '"clusters":8,"nmi":0' strict
    "$XENT" analyze batches "$views" --set objective.guide=null --json > drawn
    [[ $(cat drawn) == *'"batches":12,"left_out":0,"same_class_pairs":'* && $(cat drawn) != *nmi* ]]
    "$XENT" train "$views" --quiet -o whole
    "$XENT" train "$views" --set train.epochs=1 --quiet -o parts
    "$XENT" train "$views" --resume --quiet -o parts
    cmp whole/checkpoints/last.safetensors parts/checkpoints/last.safetensors
    refused() {
        run "$XENT" train "$views" "${@:2}" -o none
        [ "$status" -ne 0 ] && [[ "$output" == "xent: "$1 ]] || { echo "$output"; false; }
    }
    refused '*objective.clusters: strict needs at least as many clusters as a batch has samples, 8, got 4' --set objective.clusters=4
    refused '*objective.clusters: 200 of 96 samples' --set objective.clusters=200
    refused '*guide_layer: *has no layer "layers.9"*' --set objective.guide_layer=layers.9
    refused '*objective.guide_layer: name the layer*' --set objective.guide_layer=null
    refused '*objective.guide*nowhere*' --set objective.guide=nowhere
    [ ! -e none ]
    "$XENT" train "$views" --set objective.clusters=4 --set objective.batching=interleaved --quiet -o interleaved
    run "$XENT" analyze batches "$guide"
    [ "$status" -eq 1 ] && [[ "$output" == *'batches are compared by classes, and the data has none' ]]
}

@test "parameters come from a config, inline, in a file, by --set, in this order" {
    echo '{"analyze": {"type": "bounds", "tau": 2, "gap": 0.25}}' > two.json
    "$XENT" analyze bounds two.json --json > file
    "$XENT" analyze bounds '{"analyze": {"tau": 2, "gap": 0.25}}' --json > inline
    "$XENT" analyze bounds --set analyze.tau=2 --set analyze.gap=0.25 --json > set
    cmp file inline
    cmp file set
    grep -q '^{"analyze":{"type":"bounds","tau":2,"classes":10,"gap":0.25},"figures":{"T":0.025,"inverse":1,"closed_form":2.5},"tables":{"grid":{"columns":\["error_excess","T","closed_form"\],"rows":\[\[0.1,0.01,0.1\],' file
    "$XENT" analyze bounds two.json --set analyze.classes=2 --json | grep -q '"T":0.125'
    "$XENT" check two.json > /dev/null
}

@test "novel_classes adds what only_classes left out, with names, and a single example is its own direction" {
    config='{"data": {"type": "gaussian-mixture", "classes": 5, "separation": 12, "count": 400, "test_count": 200, "val_count": 0,
             "only_classes": [4, 0, 2]}, "model": "mlp", "loss": "normalized_softmax", "optimizer": "adam", "train": {"epochs": 3, "report": false}}'
    "$XENT" train "$config" --quiet -o run
    run "$XENT" analyze novel_classes run
    [ "$status" -eq 0 ]
    [[ "$output" =~ seen_accuracy\ +[01] && "$output" =~ joint_novel\ +[01] && "$output" =~ recall@5\ +[01] ]]
    [ "$(sed -n 's/^  \([0-9]\)  *\([01]\)  *[0-9]* .*/\1\2/p' <<< "$output" | tr '\n' ' ')" = "40 00 20 11 31 " ]
    [ "$("$XENT" analyze novel_classes run --json --set analyze.shots=1)" = "$("$XENT" analyze novel_classes run --json --set analyze.shots=1 --threads 1)" ]
    "$XENT" analyze novel_classes run --set 'analyze.data={"type": "gaussian-mixture", "classes": 2, "data_seed": 7}' | grep -q '^  new 1 '
    run "$XENT" analyze novel_classes run --set analyze.shots=1000
    [ "$status" -eq 1 ] && [[ "$output" == *"analyze.shots: "*" training samples of a class, 1000 asked for" ]]
    run "$XENT" analyze novel_classes run --set 'analyze.data={"type": "gaussian-mixture", "dimensions": 3}'
    [ "$status" -eq 1 ] && [[ "$output" == *"data: samples of another shape"* ]]
    run "$XENT" analyze novel_classes run --set 'analyze.data={"type": "nothing"}'
    [ "$status" -eq 2 ] && [[ "$output" == *"analyze.data.type: unknown dataset"* ]]
    run "$XENT" analyze novel_classes
    [ "$status" -eq 2 ] && [[ "$output" == *"expected RUN"* ]]
    "$XENT" train "$config" --set 'data.only_classes=[]' --quiet -o all
    run "$XENT" analyze novel_classes all
    [ "$status" -eq 2 ] && [[ "$output" == *"the model knows all classes of its data"* ]]
    "$XENT" train "$config" --set 'data.only_classes=[3,4,0,1,2]' --quiet -o all2
    run "$XENT" analyze novel_classes all2
    [ "$status" -eq 2 ] && [[ "$output" == *"lists every class"* ]]
}

@test "add-class writes a run of all classes, which is what novel_classes measures; old rows stay" {
    config='{"data": {"type": "glyphs", "count": 300, "test_count": 100, "val_count": 0, "only_classes": [7, 0, 2, 3, 4, 5, 6, 1]},
             "model": {"type": "mlp", "hidden": [16]}, "optimizer": "adam", "train": {"epochs": 4, "report": false}}'
    for loss in ce normalized_softmax; do
        "$XENT" train "$config" --set loss=$loss --quiet -o $loss
        [ "$("$XENT" add-class $loss -o $loss.safetensors)" = $loss.safetensors ]
        analysis=$("$XENT" analyze novel_classes $loss --json | sed 's/.*"joint_accuracy":\([0-9.]*\),.*/\1/')
        "$XENT" eval $loss.safetensors --json | grep -q '"metrics":{[^}]*"accuracy":'"$analysis,"
        [ "$("$XENT" predict $loss.safetensors | head -1)" = 7,0,2,3,4,5,6,1,8,9 ]
    done
    # ratios of the old classes' probabilities are those of before
    npy x.npy '|u1' '1, 1, 28, 28' "$(for i in $(seq 784); do printf '\\x%02x' $((i * 37 % 256)); done)"
    { "$XENT" predict ce x.npy; "$XENT" predict ce.safetensors x.npy; } |
        awk -F, 'NR == 2 { for (i = 2; i <= 8; i++) ratio[i] = $i / $1 }
                 NR == 4 { for (i = 2; i <= 8; i++) if ($i / $1 / ratio[i] < 1 - 1e-5 || $i / $1 / ratio[i] > 1 + 1e-5) exit 1; done = 1 }
                 END { exit !done }'
    [ "$("$XENT" add-class ce --shots 2 -o two.safetensors --json)" = '{"output":"two.safetensors","classes":10,"added":[8,9]}' ]
    ! cmp -s two.safetensors ce.safetensors
    run "$XENT" add-class ce -o two.safetensors
    [ "$status" -eq 2 ] && [[ "$output" == *two.safetensors* ]]
    run "$XENT" add-class two.safetensors -o three.safetensors
    [ "$status" -eq 2 ] && [[ "$output" == *"lists every class"* ]]
    run "$XENT" add-class ce --shots 5000 -o three.safetensors
    [ "$status" -eq 1 ] && [[ "$output" == *"--shots: "*" 5000 asked for" ]]
    run "$XENT" add-class ce
    [ "$status" -eq 2 ] && [[ "$output" == *"-o FILE is missing" ]]
    "$XENT" quantize ce '{"quantize": "rtn"}' -o q --quiet
    run "$XENT" add-class q -o three.safetensors
    [ "$status" -eq 1 ] && [[ "$output" == *"its weights are quantized"* ]]
    [ ! -e three.safetensors ]
}

# values FILE NAME: the numbers of a tensor of a safetensors file, one a line.
values() {
    local size header begin end
    size=$(od -An -t u8 -N 8 "$1" | tr -d ' ')
    header=$(head -c $((8 + size)) "$1" | tail -c "$size")
    header=${header#*"\"$2\":"}
    header=${header#*'"data_offsets":['}
    begin=${header%%,*} end=${header#*,} end=${end%%]*}
    od -An -v -t f4 -w4 -j $((8 + size + begin)) -N $((end - begin)) "$1"
}

# table FILE NAME: the rows of a table of an analysis in JSON.
table() {
    sed "s/.*\"$2\":{[^{]*\"rows\":\[\[\([^}]*\)\]\]}.*/\1/; s/\],\[/\n/g" "$1" | tr , ' '
}

@test "cross tells the weights between fields, which are those of the checkpoint, and metrics each network's loss" {
    config='{"data": {"type": "clicks", "count": 300, "val_count": 0, "test_count": 200}, "loss": "tri_bce", "optimizer": "adam",
             "model": {"type": "fcn", "embed_dim": 4, "ecn_layers": 1, "lcn_layers": 2}, "train": {"epochs": 1, "report": false}}'
    "$XENT" train "$config" --quiet -o run
    "$XENT" analyze cross run --json > cross
    for layer in ecn.0 lcn.0 lcn.1; do
        # 8 fields, two columns of each in each half of an embedding
        values run/checkpoints/last.safetensors $layer.weight |
            awk '{ r = NR - 1; i = int(r / 64); k = int(r % 32 / 2) % 8; sum[i * 8 + k] += ($1 < 0 ? -$1 : $1) / 8 }
                 END { for (i = 0; i < 64; i++) print sum[i] }' > expected
        table cross $layer | tr ' ' '\n' > got
        [ "$(wc -l < expected)" -eq 64 ]
        paste expected got | awk 'NF != 2 || $1 - $2 > 1e-5 || $2 - $1 > 1e-5 { exit 1 }'
        cat got >> all
    done
    # the sum over 8 fields is that of all 3 layers
    table cross fields | awk '{ rows += $1; columns += $2 } END { printf "%.5f %.5f\n", 3 * rows, 3 * columns }' > sums
    awk '{ sum += $1 } END { printf "%.5f %.5f\n", sum, sum }' all | cmp - sums
    "$XENT" analyze cross run | grep -q '^  f7 '
    # binary cross-entropy is convex: that of the mean is at most the mean of both
    "$XENT" eval run --json --resamples 0 | tee metrics | grep -q '"logloss_ecn":[0-9.]*,"logloss_lcn":[0-9.]*'
    sed 's/.*"logloss_ecn":\([0-9.]*\),"logloss_lcn":\([0-9.]*\),.*"nll":\([0-9.]*\).*/\1 \2 \3/' metrics |
        awk '{ exit !(NF == 3 && $1 != $2 && $3 <= ($1 + $2) / 2 && $3 > 0.3) }'
    "$XENT" train "$config" --set loss=coral --quiet -o plain
    run "$XENT" eval plain --json --resamples 0
    [[ "$output" == *'"nll":'* && "$output" != *logloss* ]]
    "$XENT" train "$config" --set model=mlp --set loss=ce --quiet -o mlp
    run "$XENT" analyze cross mlp
    [ "$status" -eq 2 ] && [[ "$output" == *'its model, mlp, is not a cross network: fcn, ecn or lcn' ]]
}
