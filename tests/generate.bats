# xent generate.

setup_file() {
    cd "$BATS_FILE_TMPDIR"
    for i in 1 2 3 4 5 6 7 8; do printf 'the quick brown fox jumps over the lazy dog. '; done > text.txt
    "$XENT" train '{"data": {"type": "text", "path": "text.txt", "length": 8}, "model": {"type": "transformer", "layers": 1, "width": 16, "heads": 2}, "optimizer": {"type": "adam", "lr": 0.01}, "train": {"epochs": 60, "batch_size": 8}}' -o chars --quiet
    "$XENT" train '{"data": {"type": "markov-text", "count": 600, "val_count": 50, "test_count": 50, "length": 8}, "model": {"type": "transformer", "layers": 1, "width": 8, "heads": 2}, "train": {"epochs": 1}}' -o markov --quiet
    "$XENT" train '{"data": {"type": "spirals", "count": 40}, "model": "mlp", "train": {"epochs": 1}}' -o spirals --quiet
}

setup() { cd "$BATS_FILE_TMPDIR"; }

@test "the text is the prompt and as many tokens as asked for" {
    run "$XENT" generate chars --prompt "the qu" --tokens 40
    [ "$status" -eq 0 ]
    [[ "$output" == "the qu"* ]]
    [ "${#output}" -eq 46 ]
    run "$XENT" generate markov --tokens 30
    [ "${#output}" -eq 30 ]
    [[ "$output" =~ ^[a-z]+$ ]]
}

@test "seed and options decide, not threads" {
    one=$("$XENT" generate markov --tokens 50 --threads 1)
    [ "$one" = "$("$XENT" generate markov --tokens 50 --threads 3)" ]
    [ "$one" != "$("$XENT" generate markov --tokens 50 --seed 5)" ]
}

@test "temperature 0 and one candidate are the most likely token, whatever the seed" {
    greedy=$("$XENT" generate chars --prompt the --tokens 30 --temperature 0)
    [ "$greedy" = "$("$XENT" generate chars --prompt the --tokens 30 --temperature 0 --seed 9)" ]
    [ "$greedy" = "$("$XENT" generate chars --prompt the --tokens 30 --top-k 1 --seed 9)" ]
    [ "$greedy" = "$("$XENT" generate chars --prompt the --tokens 30 --top-p 0 --seed 9)" ]
}

@test "beyond the window the last tokens decide" {
    long=$("$XENT" generate chars --prompt "dog. the quick brown" --tokens 20 --temperature 0)
    short=$("$XENT" generate chars --prompt "ck brown" --tokens 20 --temperature 0)
    [ "${long: -20}" = "${short: -20}" ]
}

@test "generate --json is one object" {
    run "$XENT" generate markov --prompt abc --tokens 2 --json
    [[ "$output" =~ ^\{\"prompt\":\"abc\",\"text\":\"abc[a-z]{2}\",\"tokens\":\[0,1,2,[0-9]+,[0-9]+\]\}$ ]]
}

@test "wrong command lines are exit 2" {
    while IFS= read -r words; do
        eval "run \"\$XENT\" generate $words"
        [ "$status" -eq 2 ] && [ "${#lines[@]}" -eq 1 ] || { echo "$words: $status $output"; false; }
    done <<'END'
spirals
chars --temperature -1
chars --temperature x
chars --top-p 1.5
chars --top-k -1
chars --tokens 0
chars --prompt '#'
markov --prompt 'a b'
END
    run "$XENT" generate nothing
    [ "$status" -eq 1 ]
}
