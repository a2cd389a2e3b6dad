# xent data.

setup() {
    cd "$BATS_TEST_TMPDIR"
    SPIRALS='{"data": {"type": "spirals", "count": 20, "val_count": 5, "test_count": 6}}'
    GLYPHS='{"data": {"type": "glyphs", "count": 12, "val_count": 0, "test_count": 3}}'
}

# layers and samples of a config, from check
samples() { "$XENT" check "$1" --json | sed 's/.*"samples":\({[^}]*}\).*/\1/'; }

@test "an NPZ file trains like the generator it came from" {
    "$XENT" data "$SPIRALS" -o a.npz
    [ "$(samples '{"data": {"type": "npz", "path": "a.npz"}, "model": "mlp"}')" = '{"train":20,"val":5,"test":6}' ]
    "$XENT" train '{"data": {"type": "npz", "path": "a.npz"}, "model": {"type": "mlp", "hidden": [3]}, "train": {"epochs": 1}}' -o npz --quiet
    "$XENT" train "${SPIRALS%\}}, \"model\": {\"type\": \"mlp\", \"hidden\": [3]}, \"train\": {\"epochs\": 1}}" -o generated --quiet
    cmp <(grep -v test npz/metrics.jsonl) <(grep -v test generated/metrics.jsonl)
}

@test "NPY and CSV have a file for each part" {
    "$XENT" data "$SPIRALS" -o b.npy
    [ "$(ls)" = "$(printf 'b_x.npy\nb_x_test.npy\nb_x_val.npy\nb_y.npy\nb_y_test.npy\nb_y_val.npy')" ]
    "$XENT" data "$SPIRALS" -o c.csv
    [ "$(wc -l < c.csv)" -eq 21 ]
    [ "$(wc -l < c_test.csv)" -eq 7 ]
    [ "$(head -1 c.csv)" = 'x0,x1,target' ]
    [ "$(samples '{"data": {"type": "csv", "path": "c.csv", "test_path": "c_test.csv"}, "model": "mlp"}')" = '{"train":20,"val":0,"test":6}' ]
}

@test "a folder receives images, tables or text" {
    "$XENT" data "$GLYPHS" -o images/
    [ "$(find images/train -name '*.png' | wc -l)" -eq 12 ]
    [ "$(samples '{"data": {"type": "png", "path": "images/train"}, "model": "mlp"}')" = '{"train":12,"val":0,"test":0}' ]
    "$XENT" data "$SPIRALS" -o tables/
    [ "$(ls tables)" = "$(printf 'test.csv\ntrain.csv\nval.csv')" ]
    "$XENT" data '{"data": {"type": "markov-text", "count": 100, "val_count": 0, "test_count": 0, "length": 8}}' -o text
    [ "$(wc -c < text/train.txt)" -eq 97 ] # 12 windows of 8, and the token behind the last
}

@test "noisy labels are written beside the clean ones" {
    "$XENT" data '{"data": {"type": "spirals", "count": 20, "label_noise": 0.5}}' -o noisy.npz
    grep -qa clean_y.npy noisy.npz
}

@test "the same config and seed give the same bytes" {
    "$XENT" data "$SPIRALS" -o a.npz --seed 3
    "$XENT" data "$SPIRALS" -o b.npz --seed 3 --threads 1
    "$XENT" data "$SPIRALS" -o c.npz --seed 4
    cmp a.npz b.npz
    run cmp -s a.npz c.npz
    [ "$status" -eq 1 ]
}

@test "what is there is not overwritten without --force" {
    echo kept > a.npz
    mkdir full && echo kept > full/file
    run "$XENT" data "$SPIRALS" -o a.npz
    [ "$status" -eq 2 ]
    [ "$(cat a.npz)" = kept ]
    run "$XENT" data "$SPIRALS" -o full/
    [ "$status" -eq 2 ]
    [ "$(ls full)" = file ]
    "$XENT" data "$SPIRALS" -o a.npz --force
    [ "$(head -c 2 a.npz)" = PK ]
    "$XENT" data "$SPIRALS" -o b.npz
    run "$XENT" data '{"data": {"type": "npz", "path": "b.npz"}}' -o b.npz --force
    [ "$status" -eq 2 ]
    [[ "$output" == *"is what the data is read from"* ]]
}

@test "wrong command lines are exit 2" {
    for words in "" "-o a.xyz" "-o"; do
        run "$XENT" data "$SPIRALS" $words
        [ "$status" -eq 2 ]
        [ "${#lines[@]}" -eq 1 ]
    done
    run "$XENT" data '{"model": "mlp"}' -o a.npz
    [ "$status" -eq 2 ]
    run "$XENT" data "$GLYPHS" -o a.csv
    [ "$status" -eq 2 ]
    [ ! -e a.csv ]
    printf '{"t": "ab", "target": "x"}\n{"t": "b", "target": "y"}\n' > text.jsonl
    run "$XENT" data '{"data": {"type": "jsonl", "path": "text.jsonl", "text": "t", "length": 2}}' -o folder/
    [ "$status" -eq 2 ]
    [ ! -e folder ]
    rm text.jsonl
    run "$XENT" data "$SPIRALS" -o a.txt
    [ "$status" -eq 2 ]
    [ -z "$(ls -A)" ]
}
