# xent predict.

setup_file() {
    cd "$BATS_FILE_TMPDIR"
    printf 'age,color,y\n1,red,yes\n2,blue,no\n3,red,yes\n4,green,no\n5,red,yes\n6,blue,no\n7,red,yes\n8,green,no\n' > table.csv
    "$XENT" train '{"data": {"type": "csv", "path": "table.csv"}, "model": {"type": "mlp", "hidden": [4]}, "train": {"epochs": 1}}' -o csv --quiet
    "$XENT" train '{"data": {"type": "spirals", "count": 40, "val_count": 10, "test_count": 12, "normalize": true}, "model": {"type": "mlp", "hidden": [4]}, "train": {"epochs": 1}}' -o spirals --quiet
    "$XENT" data '{"data": {"type": "spirals", "count": 40, "val_count": 10, "test_count": 12}}' -o spirals.npy --quiet
    "$XENT" data '{"data": {"type": "spirals", "count": 40, "val_count": 10, "test_count": 12}}' -o spirals.csv --quiet
    printf 'x,y\n1,10\n2,20\n3,30\n4,41\n5,52.5\n6,60\n' > line.csv
    "$XENT" list losses | grep -q "^  mse " || return 0
    "$XENT" train '{"data": {"type": "csv", "path": "line.csv", "task": "regression", "standardize_targets": true}, "model": {"type": "mlp", "hidden": []}, "train": {"epochs": 300}, "optimizer": {"type": "adam", "lr": 0.05}}' -o line --quiet
}

setup() { cd "$BATS_FILE_TMPDIR"; }

@test "predict gives probabilities of the test split, as CSV with names" {
    run "$XENT" predict spirals
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 13 ]
    for line in "${lines[@]:1}"; do
        awk -F, '{ s = 0; for (i = 1; i <= NF; i++) s += $i; exit !(NF == 2 && s > 0.999999 && s < 1.000001) }' <<< "$line"
    done
}

@test "a file gives what its split gives, as NPY and as CSV" {
    "$XENT" predict spirals > split.txt
    "$XENT" predict spirals spirals_x_test.npy > npy.txt
    "$XENT" predict spirals - < <(cut -d, -f 1,2 spirals_test.csv) > csv.txt
    cmp split.txt npy.txt
    cmp split.txt csv.txt
}

@test "a cell without value is what it was in training" {
    local rows='1,red,no,a\n,blue,yes,b\n4.5,,?,a\nNA,red,yes,b\n8,,no,a\n2,blue,yes,b\n'
    printf 'age,color,told,y\n'"$rows" > holes.csv
    "$XENT" train '{"data": {"type": "csv", "path": "holes.csv", "test_path": "holes.csv", "missing": "mean"},
        "model": {"type": "mlp", "hidden": [4]}, "train": {"epochs": 1}}' -o holes --quiet
    "$XENT" predict holes > split.txt
    "$XENT" predict holes holes.csv > file.txt
    cmp split.txt file.txt
    printf 'told,age,color\nno,3.875,red\n' | "$XENT" predict holes - > mean.txt # of 1, 4.5, 8 and 2
    printf 'told,age,color\nno,?,red\n' | "$XENT" predict holes - | cmp - mean.txt
    run "$XENT" predict csv - <<< '?,red'
    [ "$status" -eq 1 ]
}

@test "numbers in intervals are found by their edges, and can be read one after the other" {
    { echo a,b,y; for i in $(seq 40); do echo "$((i * 7 % 23)).$i,$((i * i % 17)),$((i % 2))"; done; } > numbers.csv
    "$XENT" train '{"data": {"type": "csv", "path": "numbers.csv", "test_path": "numbers.csv", "bins": 4, "missing": "mean"},
        "model": {"type": "gru", "steps": 2, "hidden": 4}, "train": {"epochs": 1}}' -o numbers --quiet
    "$XENT" predict numbers > split.txt
    "$XENT" predict numbers numbers.csv > file.txt
    cmp split.txt file.txt
    printf 'b,a\n3,1e9\n3,\n' | "$XENT" predict numbers - > ends.txt
    [ "$(wc -l < ends.txt)" -eq 3 ]
    [ "$(sed -n 2p ends.txt)" != "$(sed -n 3p ends.txt)" ]
    run "$XENT" predict numbers - <<< $'a,b\nred,3'
    [ "$status" -eq 1 ] && [[ "$output" == *'expected a number, got "red"'* ]]
}

@test "predict does not depend on the number of threads" {
    [ "$("$XENT" predict spirals --threads 1)" = "$("$XENT" predict spirals --threads 3)" ]
}

@test "columns are found by their names, in any order, from standard input too" {
    "$XENT" predict csv table.csv > all.txt
    [ "$(head -1 all.txt)" = "no,yes" ]
    printf 'color,other,age\nblue,?,2\n' | "$XENT" predict csv - > one.txt
    cmp one.txt <(sed -n '1p;3p' all.txt)
    printf '2,blue\n' | "$XENT" predict csv - > one.txt
    cmp one.txt <(sed -n '1p;3p' all.txt)
}

@test "what is wrong in a file is named by file and line" {
    printf 'age,color\n1,red\nx,red\n' > bad.csv
    run "$XENT" predict csv bad.csv
    [ "$status" -eq 1 ]
    [ "$output" = 'xent: bad.csv:3: column 1: expected a number, got "x"' ]
    printf 'age,colour\n1,red\n' > bad.csv
    run "$XENT" predict csv bad.csv
    [ "$status" -eq 1 ]
    [[ "$output" == 'xent: bad.csv:1: '* ]]
    printf '1,red,2\n' > bad.csv
    run "$XENT" predict csv bad.csv
    [ "$status" -eq 1 ]
    [ "$output" = 'xent: bad.csv:1: 3 columns, the model takes 2' ]
    printf 'age,color\n1,\n' > bad.csv
    run "$XENT" predict csv bad.csv
    [ "$status" -eq 1 ]
    [ "$output" = 'xent: bad.csv:2: column 2: no value, and the model was not trained with data.missing "mean"' ]
    printf '{"features": [1, 2, 3, 4]}\n{"features": [1, 2]}\n' > bad.jsonl
    run "$XENT" predict csv bad.jsonl
    [ "$status" -eq 1 ]
    [ "$output" = 'xent: bad.jsonl:2: features: expected a list of 4 numbers' ]
    for input in spirals_y.npy none.npy .; do
        run "$XENT" predict csv "$input"
        [ "$status" -ne 0 ]
        [ "${#lines[@]}" -eq 1 ]
        [[ "$output" == "xent: $input"* ]]
    done
}

@test "output is written by its ending" {
    "$XENT" predict csv table.csv -o out.csv
    cmp out.csv <("$XENT" predict csv table.csv)
    "$XENT" predict csv table.csv -o out.jsonl
    [ "$(wc -l < out.jsonl)" -eq 8 ]
    grep -q '^{"prediction":"\(yes\|no\)","probabilities":\[' out.jsonl
    "$XENT" predict csv table.csv -o out.npy
    head -c 128 out.npy | LC_ALL=C grep -qaF "'shape': (8,2,)"
    run "$XENT" predict csv table.csv -o out.bin
    [ "$status" -eq 2 ]
}

@test "output is never the input, by whatever name" {
    cp table.csv same.csv
    ln -sf same.csv other.csv
    run "$XENT" predict csv same.csv -o other.csv
    [ "$status" -eq 2 ]
    cmp table.csv same.csv
}

@test "regression predicts values in the units of its targets" {
    [ -e line ] || skip "no squared error"
    run "$XENT" predict line line.csv
    [ "$status" -eq 0 ]
    awk -F, -v v="${lines[1]}" 'BEGIN { exit !(v > 5 && v < 15) }'
    awk -F, -v v="${lines[6]}" 'BEGIN { exit !(v > 55 && v < 65) }'
}

@test "predict --json is one object" {
    run "$XENT" predict csv table.csv --json
    [ "${#lines[@]}" -eq 1 ]
    [[ "$output" == '{"n":8,"columns":["no","yes"],"rows":[{"prediction":"'* ]]
}

@test "wrong command lines are exit 2, a run that is none exit 1" {
    for words in "csv table.csv --split val" "spirals --split all" "csv table.txt"; do
        run "$XENT" predict $words
        [ "$status" -eq 2 ]
        [ "${#lines[@]}" -eq 1 ]
    done
    run "$XENT" predict nothing
    [ "$status" -eq 1 ]
    [ "${#lines[@]}" -eq 1 ]
    run "$XENT" predict csv
    [ "$status" -eq 1 ]
    [[ "$output" == *"the test split is empty"* ]]
}

@test "a network of fields gets its fields back from the checkpoint, and both heads are averaged" {
    "$XENT" train '{"data": {"type": "csv", "path": "table.csv", "normalize": false}, "loss": "tri_bce",
        "model": {"type": "fcn", "embed_dim": 4}, "train": {"epochs": 2}}' -o fields --quiet
    "$XENT" predict fields table.csv > all.txt
    [ "$(head -1 all.txt)" = no,yes ]
    [ "$(wc -l < all.txt)" -eq 9 ]
    awk -F, 'NR > 1 && ($1 + $2 < 0.999999 || $1 + $2 > 1.000001) { bad = 1 } END { exit bad }' all.txt
    printf '2,blue\n' | "$XENT" predict fields - > one.txt
    diff <(sed -n '1p;3p' all.txt) one.txt
    run "$XENT" train '{"data": {"type": "csv", "path": "table.csv"}, "loss": "tri_bce", "model": "lcn"}' -o none
    [[ "$output" == *'model: the loss compares 2 heads, lcn has 1; choose fcn, or another loss' ]]
}
