#!/bin/sh
# tables.sh XENT THREADS ROUNDS: what xent bench says of this machine, as Markdown: its peaks, products' share of them,
# what more threads bring, how time grows with the sizes, softmax in two and in three passes, integers, what recomputing
# and accumulating save, what a run costs outside training.
set -eu
[ $# -eq 3 ] || { echo "usage: tables.sh XENT THREADS ROUNDS" >&2; exit 2; }
xent=$1 threads=$2 rounds=$3
lines=$(mktemp) folder=$(mktemp -d) ram=
trap 'rm -rf "$lines" "$folder" ${ram:+"$ram"}' EXIT

bench() { "$xent" bench --json --quiet "$@"; }


keep() { # WORD KEY...: lines "WORD name value..." of the results on standard input, "-" where there is none
    word=$1
    shift
    tr '{' '\n' | grep '^"name":' | awk -v word="$word" -v keys="$*" '
        function value(key) { return match($0, "\"" key "\":\"?[^,\"}]*") ? rest(substr($0, RSTART, RLENGTH)) : "-" }
        function rest(text) { sub(/^"[^"]*":"?/, "", text); return text }
        { line = word " " value("name"); n = split(keys, key, " ")
          for (i = 1; i <= n; i++) line = line " " value(key[i])
          print line }'
}

median='function median(text,    list, n, i, j, t) {
    n = split(text, list, " ")
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && list[j - 1] + 0 > list[j] + 0; j--) { t = list[j]; list[j] = list[j - 1]; list[j - 1] = t }
    return (list[int((n + 1) / 2)] + list[int(n / 2) + 1]) / 2
}'

peaks() {
    echo "### Peaks of this machine"
    echo
    echo "Fused multiply-adds, each counted as two operations; memory far beyond the caches, in order, reading and"
    echo "(\`memset\`, past the caches) writing."
    echo
    echo "| threads | GFLOP/s | read GB/s | write GB/s |"
    echo "|---:|---:|---:|---:|"
    for count in $(printf '1\n%s\n' "$threads" | sort -un); do
        bench sgemm/8x8x8 --threads "$count" --set repeat=1 \
            | sed 's/.*"peak_gflops":\([^,]*\),"read_gbs":\([^,]*\),"write_gbs":\([^,}]*\).*/\1 \2 \3/' \
            | awk -v count="$count" '{ printf "| %d | %.1f | %.1f | %.1f |\n", count, $1, $2, $3 }'
    done
}

# Both thread counts, in turn; peaks are those of the same process.
products="sgemm/512x512x512 sgemm/1024x1024x1024 sgemm/2048x2048x2048"
longer="softmax/2048x32768 softmax/4x16777216 step/cnn-b128 step/gpt-b16 loss/linear-ce-2048x256x32768
attention/2048 attention/causal-2048 convolution/128x32x14x14-64x3 convolution/gradients-128x32x14x14-64x3"

measure_threads() {
    : > "$lines"
    round=1
    while [ "$round" -le "$rounds" ]; do
        for count in $(printf '1\n%s\n' "$threads" | sort -un); do
            # shellcheck disable=SC2086 # a word each
            bench $products $longer --threads "$count" --set repeat=1 | keep "$count" seconds share bound >> "$lines"
        done
        round=$((round + 1))
    done
}

shares() {
    echo "### Share of the peak"
    echo
    echo "Square products; the peak is measured right after each: processors lower their clock under load. The goal is 88 %."
    echo
    echo "| product | threads | GFLOP/s | share |"
    echo "|---|---:|---:|---:|"
    awk "$median"'
        $2 !~ /^sgemm/ { next }
        !($2 " " $1 in seconds) { order[++n] = $2 " " $1 }
        { seconds[$2 " " $1] = seconds[$2 " " $1] " " $3; share[$2 " " $1] = share[$2 " " $1] " " $4 }
        END {
            for (i = 1; i <= n; i++) {
                split(order[i], part, /[ \/x]/)
                printf "| %s/%s | %d | %.1f | %.1f %% |\n", part[1], part[2] "x" part[3] "x" part[4], part[5],
                       2e-9 * part[2] * part[3] * part[4] / median(seconds[order[i]]), 100 * median(share[order[i]])
            }
        }' "$lines"
}

more_threads() {
    echo "### What $threads threads bring"
    echo
    echo "What takes over 5 ms, with 1 thread and with $threads. The last column is what the roofs allow: the time"
    echo "that the work takes at least with 1 thread, by the peak that bounds it, over the same with $threads."
    echo "The goal for 2 threads is 1.8."
    echo
    echo "| benchmark | 1 thread, ms | $threads threads, ms | times as fast | bound | roofs allow |"
    echo "|---|---:|---:|---:|---|---:|"
    awk -v threads="$threads" "$median"'
        !($2 in seen) { seen[$2]; order[++n] = $2 }
        { seconds[$2, $1] = seconds[$2, $1] " " $3; roof[$2, $1] = roof[$2, $1] " " ($3 * $4); bound[$2] = $5 }
        END {
            for (i = 1; i <= n; i++) {
                name = order[i]
                one = median(seconds[name, 1]); all = median(seconds[name, threads])
                if (one > 5e-3)
                    printf "| %s | %.4g | %.4g | %.2f | %s | %.2f |\n", name, 1e3 * one, 1e3 * all, one / all,
                           bound[name], median(roof[name, 1]) / median(roof[name, threads])
            }
        }' "$lines"
}

grow() { # WHAT KEY SIZES PATTERN: a row; PATTERN has @ where the size stands
    what=$1 sizes=$3 pattern=$4
    : > "$lines"
    if [ "$2" = memory ]; then
        for size in $sizes; do
            name=$(echo "$pattern" | sed "s/@/$size/")
            bench "$name" --threads "$threads" --set repeat=1 --set seconds=0 --set peaks=false \
                | sed "s/.*\"memory_bytes\":\([^,}]*\).*/$size \1/" >> "$lines"
        done
        unit="MB" factor=1e-6
    else
        names=$(for size in $sizes; do echo "$pattern" | sed "s/@/$size/"; done)
        # shellcheck disable=SC2086 # a word each
        bench $names --threads "$threads" --set "repeat=$rounds" --set peaks=false | keep - seconds \
            | awk -v sizes="$sizes" 'BEGIN { split(sizes, size, " ") } { print size[NR], $3 }' > "$lines"
        unit="ms" factor=1e3
    fi
    awk -v what="$what" -v unit="$unit" -v factor="$factor" -v pattern="$pattern" '
        { x = log($1); y = log($2); n++; sx += x; sy += y; xx += x * x; xy += x * y
          cells = cells (cells ? ", " : "") sprintf("%d: %.3g", $1, factor * $2) }
        END { sub(/@/, "*", pattern)
              printf "| %s | `%s` | %s | %s | %.2f |\n", what, pattern, cells, unit,
                     (n * xy - sx * sy) / (n * xx - sx * sx) }
        ' "$lines"
}

growth() {
    echo "### Growth"
    echo
    echo "Sizes and what they take; the exponent is the slope of the logarithms: 1 is in proportion, below it are"
    echo "costs that do not grow, and attention's time is quadratic where its memory is not."
    echo
    echo "| what grows | benchmark | size: taken | unit | exponent |"
    echo "|---|---|---|---|---:|"
    grow "tokens" time "256 512 1024 2048" loss/linear-ce-@x256x8192
    grow "words" time "2048 4096 8192 16384 32768" loss/linear-ce-512x256x@
    grow "width" time "64 128 256 512" loss/linear-ce-512x@x8192
    grow "tokens: time" time "512 1024 2048 4096" attention/@
    grow "tokens: memory" memory "1024 2048 4096 8192" attention/@
    grow "batch" time "32 64 128 256 512" step/mlp-b@
    grow "batch" time "16 32 64 128" step/cnn-b@
    grow "batch" time "2 4 8 16" step/gpt-b@
}

passes() {
    echo "### Softmax in two passes and in three"
    echo
    cat <<'TEXT'
`softmax/` is what models use. With AVX-512: two passes where threads share a row and where the result is too large for
the caches, three elsewhere; with narrower vectors, where a second exponential takes longer than memory: two passes for
three wide rows or fewer. "Arithmetic" is what the first row, with 1 thread and all in its cache, takes a value, for
all values and threads. GB/s are the bytes between caches and memory over the time. Three passes over a row that the
caches hold read it once, read the lines of the result before they are overwritten, and write them: 12 bytes a value; a
longer row is read twice, its result read and written twice: 24 (a figure beyond the peak of reading says that the
machine spares some of that). Two passes write a result of 2^23 values or more past the caches: 8 and 12. They save a
third to a half of the bytes and pay with a second exponential, so that arithmetic is most of their time: what they win
is what three passes wait for memory beyond that.

TEXT
    printf '%s' "| rows x columns | softmax/, ms | two passes | three | three over two "
    echo "| arithmetic of two | of three | GB/s of two | of three |"
    echo "|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    : > "$lines"
    bench softmax/16x4096 softmax-two-pass/16x4096 softmax-three-pass/16x4096 --threads 1 \
        --set "repeat=$rounds" --set peaks=false | keep 16x4096 seconds >> "$lines"
    for shape in 64x1024 4096x1024 32768x1024 2048x32768 256x262144 4x16777216 1x16777216; do
        bench softmax/$shape softmax-two-pass/$shape softmax-three-pass/$shape --threads "$threads" \
            --set "repeat=$rounds" --set peaks=false | keep "$shape" seconds >> "$lines"
    done
    awk -v threads="$threads" '
        NR % 3 == 1 { by_shape = $3 }
        NR % 3 == 2 { two = $3 }
        NR % 3 == 0 {
            three = $3
            split($1, size, "x")
            values = size[1] * size[2]
            outside = values >= 8388608
            if (NR == 3) { two_value = two / values; three_value = three / values }
            printf "| %s | %.4g | %.4g | %.4g | %.2f ", $1, 1e3 * by_shape, 1e3 * two, 1e3 * three, three / two
            if (!outside) { print "| | | in cache | in cache |"; next }
            alone = size[1] == 1 ? threads : 1 # three passes give a row to one thread
            printf "| %.4g | %.4g ", 1e3 * values * two_value / threads, 1e3 * values * three_value * alone / threads
            longer = size[2] > 4194304
            printf "| %.1f | %.1f |\n", 1e-9 * values * (longer ? 12 : 8) / two,
                   1e-9 * values * (longer ? 24 : 12) / three
        }' "$lines"
}

convolutions() {
    echo "### The convolutions of the CNN step"
    echo
    echo "At batch 128; the step needs no gradient of the images. The peak is measured right after each. The goal for all"
    echo "together is 60 % of it."
    echo
    echo "| convolution | ms | GFLOP | share of the peak |"
    echo "|---|---:|---:|---:|"
    bench convolution/128x1x28x28-32x3 convolution/filters-128x1x28x28-32x3 convolution/128x32x14x14-64x3 \
        convolution/gradients-128x32x14x14-64x3 --threads "$threads" --set "repeat=$rounds" > "$lines"
    keep - seconds flops peak_gflops < "$lines" | awk '
            function row(name, time, flops, possible) { # possible: in that time, in units of 1e9
                printf "| %s | %.4g | %.3f | %.1f %% |\n", name, 1e3 * time, 1e-9 * flops, 1e-7 * flops / possible
            }
            { row($2, $3, $4, $3 * $5); time += $3; flops += $4; possible += $3 * $5 }
            END { row("together", time, flops, possible) }'
}

integers() {
    cat <<'TEXT'
### Layers on 8-bit integers

Input and output are floats; making integers of the input is part of the time. A convolution has a scale for each place
of the output, so that a value is quantized once for each place that reads it: with few filters to share that, integers
do not pay. The last row is a whole network, that of `step/cnn`, predicting 128 images.

| layer | 8 bits, ms | floats, ms | times as fast |
|---|---:|---:|---:|
TEXT
    bench int8/linear-128x256x784 sgemm/128x256x784 int8/linear-1024x1024x1024 sgemm/1024x1024x1024 \
        int8/convolution-128x1x28x28-32x3 convolution/128x1x28x28-32x3 \
        int8/convolution-128x32x14x14-64x3 convolution/128x32x14x14-64x3 \
        int8/convolution-32x128x14x14-256x3 convolution/32x128x14x14-256x3 \
        int8/cnn-b128 predict/cnn-b128 \
        --threads "$threads" --set "repeat=$rounds" --set peaks=false | keep - seconds | awk '
            NR % 2 { name = $2; ours = $3; next }
            { printf "| %s | %.4g | %.4g | %.2f |\n", name, 1e3 * ours, 1e3 * $3, $3 / ours }'
}

summary() { # KEY: of the run in $folder/run
    sed -n "s/^[[:space:]]*\"$1\":[[:space:]]*\([0-9.e+-]*\),*$/\1/p" "$folder/run/summary.json"
}

# Each row a process of its own, so that the peak is its own.
step_memory() {
    cat <<'TEXT'
### Memory of a step

The last two columns of the first table, rows `step/`, compare with PyTorch: both are how much the largest resident set
of the process grows from before the model is made to the end, with inputs, weights, gradients and Adam's moments. Below
are whole runs of `xent train` with `step/gpt-b16`'s model (4 layers, width 128, 4 heads, 128 tokens, AdamW) on 64
sequences a step: the largest resident set of the process, less that of the same run with one step of one sequence; and
the time of a step. `train.recompute` gives the same bits.

| what | memory, MB | step, ms |
|---|---:|---:|
TEXT
    long='{"seed": 1, "data": {"type": "markov-text", "classes": 65, "length": 128, "count": 131072, "val_count": 2048,
        "test_count": 2048}, "model": {"type": "transformer", "layers": 4, "width": 128, "heads": 4},
        "optimizer": {"type": "adamw"}, "train": {"steps": 12, "eval_batch_size": 4, "report": false}}'
    "$xent" train "$long" -o "$folder/run" --quiet --set train.batch_size=1 --set train.steps=1 --threads "$threads"
    idle=$(summary peak_memory_bytes)
    while read -r batch recompute accumulate what; do
        : > "$lines"
        for round in $(seq "$rounds"); do
            "$xent" train "$long" -o "$folder/run" --force --quiet --threads "$threads" \
                --set "train.batch_size=$batch" --set "train.recompute=$recompute" \
                --set "train.accumulate=$accumulate"
            echo "$round $(summary peak_memory_bytes) $(summary wall_seconds) $(summary steps)" >> "$lines"
        done
        awk -v what="$what" -v idle="$idle" "$median"'
            { memory = memory " " $2; step = step " " $3 / $4 }
            END { printf "| %s | %.1f | %.1f |\n", what, 1e-6 * (median(memory) - idle), 1e3 * median(step) }' "$lines"
    done <<'ROWS'
64 false 1 all at once
64 true 1 `train.recompute`
16 false 4 16 at a time, `train.accumulate` 4
16 true 4 both
ROWS
}

# A run is a process; what it takes beyond the steps is start, data, checkpoints, evaluation with intervals, plots, page.
outside() {
    cat <<'TEXT'
### What a run costs outside training

One epoch of small configs, from the command to the end of the process, less the time of the steps: reading the config,
making data and model, three checkpoints, the metrics of two splits with their intervals of 1000 resamples, four plots
and the page. 11 files are written, each synced before its rename, and their folders after: 19 times `fsync`, which the
disk decides. The same in a folder in memory (`/dev/shm`), where they cost nothing, shows the difference.

| config | steps, ms | outside, ms | of it in memory, ms |
|---|---:|---:|---:|
TEXT
    ram=$(mktemp -d /dev/shm/xent-bench-XXXXXX 2>/dev/null) || ram=$(mktemp -d)
    tiny='{"seed": 1, "data": {"type": "gaussian-mixture", "count": 512, "val_count": 256, "test_count": 256},
        "model": {"type": "mlp", "hidden": [16]}, "train": {"epochs": 1}}'
    for config in tiny configs/gaussian-mixture-mlp.json; do
        : > "$lines"
        for round in $(seq $((rounds * 3))); do
            for place in "$folder" "$ram"; do
                rm -rf "$place/run"
                sync
                begin=$(date +%s%N)
                "$xent" train "$([ "$config" = tiny ] && echo "$tiny" || echo "$config")" -o "$place/run" --quiet \
                    --threads "$threads" --set train.epochs=1
                end=$(date +%s%N)
                seconds=$(sed -n 's/^[[:space:]]*"wall_seconds":[[:space:]]*\([0-9.e+-]*\),*$/\1/p' \
                    "$place/run/summary.json")
                echo "$place $(((end - begin) / 1000)) $seconds" >> "$lines"
            done
        done
        awk -v config="$config" -v disk="$folder" "$median"'
            { outside[$1 == disk] = outside[$1 == disk] " " ($2 * 1e-3 - 1e3 * $3); steps = steps " " 1e3 * $3 }
            END { printf "| `%s` | %.1f | %.1f | %.1f |\n", config, median(steps), median(outside[1]),
                         median(outside[0]) }' "$lines"
    done
    echo
    echo "\`tiny\` is a mixture of 512 samples, 256 to validate and 256 to test, and an MLP of 16 units."
}

peaks
echo
measure_threads
shares
echo
[ "$threads" -eq 1 ] || { more_threads; echo; }
growth
echo
passes
echo
convolutions
echo
integers
echo
step_memory
echo
outside
