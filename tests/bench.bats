# xent bench: names, figures, errors. Sizes are tiny; no figure is compared with a time.

QUICK="--set repeat=2 --set seconds=0 --set peaks=false --quiet"

# names JSON: the names of the results, a line each
names() { grep -o '"name":"[^"]*"' <<< "$1" | cut -d'"' -f4; }

@test "bench prints machine and results as one object" {
    run "$XENT" bench sgemm/3x4x5 --set repeat=3 --set seconds=0 --threads 1 --json
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 1 ]
    number='[0-9][0-9.e+-]*'
    for key in peak_gflops read_gbs write_gbs; do
        [[ "$output" =~ \"machine\":\{[^}]*\"$key\":$number ]] || { echo "$key: $output"; false; }
    done
    [[ "$output" =~ \"threads\":1, ]]
    [[ "$output" =~ \"results\":\[\{\"name\":\"sgemm/3x4x5\",\"seconds\":$number,\"spread\":\[$number,$number\],\"flops\":120,\"bytes\":188, ]]
    [[ "$output" =~ \"share\":$number,\"bound\":\"(flops|memory)\" ]]
    [[ "$output" == *'"memory_bytes":null}' ]]
}

@test "the median lies within the spread" {
    run "$XENT" bench sgemm/8x8x8 --set repeat=5 --set seconds=0 --set peaks=false --json
    [ "$status" -eq 0 ]
    sed 's/.*"seconds":\([^,]*\),"spread":\[\([^,]*\),\([^]]*\)\].*/\2 \1 \3/' <<< "$output" \
        | awk '{ exit !(0 < $1 && $1 <= $2 && $2 <= $3) }'
}

@test "without peaks there are no shares, and memory is known" {
    run "$XENT" bench softmax/2x3 $QUICK --json
    [ "$status" -eq 0 ]
    [[ "$output" == *'"peak_gflops":null,"read_gbs":null,"write_gbs":null'* ]]
    [[ "$output" == *'"share":null'* ]]
    [[ "$output" =~ \"memory_bytes\":[0-9]+\}$ ]]
}

@test "every benchmark runs in any size, in the order given" {
    words="step/mlp-b2 sgemm/1x1x1 softmax/1x1 softmax-two-pass/2x5 softmax-three-pass/2x5 attention/3 attention/causal-3
           convolution/1x2x5x4-3x3 convolution/gradients-2x1x4x5-2x1 convolution/filters-2x1x4x5-2x1
           int8/linear-2x3x5 int8/convolution-1x2x5x4-3x3
           loss/linear-ce-5x3x7 loss/linear-ce-trained-5x3x7 step/cnn-b1 step/gpt-b1 losses/ce/4
           output/factored-2x3x5 output/plain-2x3x5 predict/cnn-b2 int8/cnn-b2"
    run "$XENT" bench $words $QUICK --json
    [ "$status" -eq 0 ]
    [ "$(names "$output")" = "$(tr -s ' ' '\n' <<< "$words")" ]
    for name in $("$XENT" list benchmarks | sed -n 's/^  \([^ ]*\) .*/\1/p'); do
        grep -q -- "$name" <<< "$words" || { echo "$name is not tested"; false; }
    done
}

@test "steps and losses count samples; losses stand beside cross-entropy" {
    run "$XENT" bench step/mlp-b2 losses/gce/3 losses/ldam/5 losses/kd/4 losses/elr/4 $QUICK --json
    [ "$status" -eq 0 ]
    [ "$(names "$output" | tr '\n' ' ')" = "step/mlp-b2 losses/ce/3 losses/gce/3 losses/ce/5 losses/ldam/5 losses/ce/4 losses/kd/4 losses/elr/4 " ]
    [[ "$output" == *'"name":"step/mlp-b2"'*'"samples":2,"seconds_per_sample":'* ]]
    [ "$(grep -o '"relative":' <<< "$output" | wc -l)" -eq 7 ]
    [[ "$output" == *'"name":"losses/ce/3"'*'"relative":1}'* ]]
}

@test "the beginning of names runs their usual sizes, each once" {
    run "$XENT" bench losses/ce losses/ce/10 losses/ce $QUICK --json
    [ "$status" -eq 0 ]
    [ "$(names "$output" | tr '\n' ' ')" = "losses/ce/10 losses/ce/1000 losses/ce/100000 " ]
}

@test "bench prints a table" {
    run "$XENT" bench sgemm/16x16x16 losses/focal/3 --set repeat=2 --set seconds=0
    [ "$status" -eq 0 ]
    [[ "$output" == *"threads "*"peak "*" GFLOP/s, read "*"median of 2 interleaved rounds"*"sgemm/16x16x16 "*"% "*"time a sample"*" 3 "*"ce "*" 1.00 x"*"focal "*" x"* ]]
}

@test "a loss with columns of its own says how many" {
    run "$XENT" bench losses/dpo losses/nt_xent/4 $QUICK
    [ "$status" -eq 0 ]
    grep -q "^dpo  .*x .* 2 columns$" <<< "$output"
    grep -q "^nt_xent  .*x .* dimensions of embeddings; batches of up to 64$" <<< "$output"
}

@test "every benchmark stands on the page" {
    page=$BATS_TEST_DIRNAME/../man/xent-bench.1
    mandoc -Tlint -Wwarning "$page"
    for name in $("$XENT" list benchmarks | sed -n 's/^  \([^ ]*\) .*/\1/p'); do
        grep -q "Cm $name[-/]" "$page" || { echo "$name"; false; }
    done
}

@test "wrong names, sizes and keys are exit 2 with one line" {
    while IFS= read -r words; do
        run "$XENT" bench $words --json
        [ "$status" -eq 2 ] || { echo "$words: exit $status"; false; }
        [ "${#lines[@]}" -eq 1 ] && [[ "$output" == "xent: "* ]] || { echo "$words: $output"; false; }
    done <<'WORDS'
nothing
sgem
sgemm/
sgemm/5x5
sgemm/0x1x1
sgemm/01x1x1
sgemm/1x1x-1
sgemm/1x1x1x
sgemm/1x1x2000000000
softmax/1000000000x1000000000
softmax/4x4 attention/x
convolution/1x1x4x4-2x2
int8/convolution-1x1x4x4-2x2
step/mlp-b
losses/nothing/3
losses/dpo/3
losses/ce/0
losses/two_hot/1
losses/forward_correction/1001
sgemm/2x2x2 --set repeat=0
sgemm/2x2x2 --set rounds=3
sgemm/2x2x2 --set seconds=-1
sgemm/2x2x2 --seed x
WORDS
    [[ "$("$XENT" bench sgem 2>&1)" == *'did you mean "sgemm"?' ]]
    [[ "$("$XENT" bench sgemm/5x5 2>&1)" == *"expected sgemm/MxNxK"* ]]
}
