# xent analyze.

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
