#!/bin/sh
# Memory errors and leaks, by valgrind, of the unit tests and of a small run of the program in a build folder; words
# after the folder choose among the unit tests (valgrind.sh build test_base test_data_npy). Valgrind knows no AVX-512,
# so the kernels are the baseline's.
set -eu
build=$1
shift
export XENT_ISA=baseline
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

check() {
    valgrind --quiet --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite "$@" > "$work/log" 2>&1 && return
    cat "$work/log"
    echo "valgrind: $*" >&2
    exit 1
}

[ $# -gt 0 ] || set -- $(cd "$build/tests" && ls test_* | grep -v '\.')
for test; do
    echo "$test"
    check "$build/tests/$test"
done

xent=$build/xent
config='{"data": {"type": "spirals", "count": 60, "val_count": 20, "test_count": 20}, "model": {"type": "mlp", "hidden": [8]},
         "train": {"batch_size": 20, "epochs": 1}}'
echo "xent train, eval, calibrate, distill, quantize, predict, report, export, add-class, data, generate"
check "$xent" train "$config" --quiet -o "$work/run"
check "$xent" train "$config" --quiet -o "$work/run" --resume --set train.epochs=2
check "$xent" eval "$work/run" --quiet --resamples 10
check "$xent" calibrate "$work/run" '{"calibrate": {"type": "vector"}}' --quiet -o "$work/calibrated"
check "$xent" distill "$config" --quiet -o "$work/student" --set distill.type=kd --set distill.teacher="$work/run"
check "$xent" quantize "$work/run" '{"quantize": "rtn"}' --quiet -o "$work/quantized"
check "$xent" predict "$work/quantized" --quiet -o "$work/rows.csv"
check "$xent" report "$work/run" "$work/student" --quiet -o "$work/page.html"
check "$xent" export "$work/run" --format onnx --quiet -o "$work/model.onnx"
check "$xent" train "$config" --quiet -o "$work/few" --set "data.only_classes=[0]"
check "$xent" add-class "$work/few" --quiet -o "$work/all.safetensors"
check "$xent" analyze novel_classes "$work/few" --quiet --json
check "$xent" data "$config" --quiet -o "$work/data.npz"
check "$xent" train '{"data": {"type": "markov-text", "length": 8}, "model": {"type": "transformer", "width": 8, "heads": 1, "layers": 1},
    "train": {"steps": 2}}' --quiet -o "$work/text"
check "$xent" generate "$work/text" --tokens 4 --quiet
check "$xent" train "$config" --quiet --dry-run --set model.activation=swiglu
