# xent report on run folders.

# run_folder NAME SEED
run_folder() {
    mkdir -p "$1"
    echo "{\"seed\": $2, \"model\": \"mlp\", \"loss\": \"ce\"}" > "$1/config.json"
    printf '{"step":1,"epoch":1,"split":"train","loss":2.5,"lr":0.1}\n{"step":2,"epoch":1,"split":"val","loss":2,"accuracy":0.5}\n{"step":4,"epoch":2,"split":"val","loss":1,"accuracy":0.75}\n' > "$1/metrics.jsonl"
    echo '{"metrics": {"test": {"accuracy": 0.5}}, "ci": {"test": {"accuracy": [0.4, 0.6]}}, "version": "1"}' > "$1/summary.json"
}

setup() {
    cd "$BATS_TEST_TMPDIR"
    run_folder a 1
    run_folder b 2
}

@test "report writes the page and the pictures of a run, again and again the same" {
    run "$XENT" report a
    [ "$status" -eq 0 ]
    [ "$output" = "a/report.html" ]
    cp a/report.html first.html
    [ "$(ls a/plots | tr '\n' ' ')" = "learning_rate.png loss.png metrics.png " ]
    "$XENT" report a
    cmp a/report.html first.html
    [ -z "$(find . -name '*.tmp')" ]
}

@test "report compares several runs and does not overwrite" {
    run "$XENT" report a b --json
    [ "$status" -eq 0 ]
    [ "$output" = '{"runs":["a","b"],"page":"report.html"}' ]
    grep -q 'Comparison of 2 runs' report.html
    run "$XENT" report a b
    [ "$status" -eq 2 ]
    [[ "$output" == "xent: report.html: exists; --force"* ]]
    "$XENT" report a b --force
    "$XENT" report a b --output other.html
    "$XENT" report a --output one.html
    grep -q '<h1>a</h1>' one.html
    [ ! -e a/report.html ]
}

@test "report refuses what is no run, and inputs as output, with exit 2" {
    mkdir empty
    for words in "" "none" "empty" "a/config.json" "a --output a/config.json --force" "a --output a" "a --output=" "a b --output a/summary.json --force"; do
        run "$XENT" report $words
        [ "$status" -eq 2 ] || { echo "$words: exit $status"; false; }
        [ "${#lines[@]}" -eq 1 ] && [[ "$output" == "xent: "* ]] || { echo "$words: $output"; false; }
    done
    grep -q seed a/config.json
}

@test "report names file and line of what is malformed, with exit 1" {
    echo '{"step":3,"split":"val","loss":"x"}' >> a/metrics.jsonl
    run "$XENT" report a
    [ "$status" -eq 1 ]
    [[ "$output" == "xent: a/metrics.jsonl:4: loss: expected a number or null" ]]
    printf '{\n"metrics": {\n"test": 3}}' > b/summary.json
    run "$XENT" report b
    [ "$status" -eq 1 ]
    [[ "$output" == "xent: b/summary.json:3: metrics.test: expected an object" ]]
    [ ! -e a/report.html ] && [ ! -e b/report.html ]
}

@test "report of a run that was interrupted says so" {
    rm a/summary.json
    printf '{"step":3,"sp' >> a/metrics.jsonl
    "$XENT" report a
    grep -q 'has not ended' a/report.html
    grep -q 'last line of metrics.jsonl is incomplete' a/report.html
}

@test "a browser shows the page" {
    browser=$(command -v chromium || command -v chromium-browser) || skip "no chromium"
    "$XENT" train '{"data": {"type": "glyphs", "count": 64, "val_count": 32, "test_count": 32}, "model": {"type": "mlp", "hidden": [8]},
        "train": {"epochs": 2}}' -o shown --quiet
    for width in 1200 390; do
        timeout 60 "$browser" --headless --no-sandbox --disable-gpu --screenshot="$PWD/$width.png" --window-size=$width,1600 \
            "file://$PWD/shown/report.html" > browser.log 2>&1 || skip "chromium does not run here"
        [ "$(stat -c %s $width.png)" -gt 20000 ]
    done
    ! grep -i "console" browser.log
}

@test "cards fit a narrow screen, long durations too" {
    browser=$(command -v chromium || command -v chromium-browser) || skip "no chromium"
    "$XENT" train '{"data": {"type": "spirals", "count": 64, "val_count": 32, "test_count": 32}, "model": {"type": "mlp", "hidden": [8]},
        "train": {"epochs": 1}}' -o narrow --quiet
    sed -i 's/"wall_seconds":[^,]*/"wall_seconds": 360619/' narrow/summary.json
    "$XENT" report narrow -o page.html --quiet
    grep -q '100 h 10 min' page.html
    cat >> page.html <<'SCRIPT'
<script>addEventListener("load", () => {
    const cards = [...document.querySelectorAll(".cards *")].map(card => card.getBoundingClientRect().right);
    parent.postMessage(Math.max(...cards) <= document.documentElement.clientWidth ? "they fit" : "too wide", "*");
})</script>
SCRIPT
    # a frame is as narrow as it is told, a window is not
    echo '<p id="said">nothing</p><iframe src="page.html" width="280" height="1600"></iframe>
        <script>onmessage = event => { document.getElementById("said").textContent = event.data; }</script>' > frame.html
    timeout 60 "$browser" --headless --no-sandbox --disable-gpu --virtual-time-budget=3000 --dump-dom \
        "file://$PWD/frame.html" > frame.dom 2> browser.log || skip "chromium does not run here"
    grep -q '>they fit<' frame.dom
}
