#!/bin/sh
# xent beside its peers: OpenBLAS (libopenblas-dev), XNNPACK (libxnnpack-dev, libpthreadpool-dev) and PyTorch
# (python3-torch). Rounds interleave, ours and the peer's in turn, each in a process of its own; figures are medians.
#     run.sh [-r ROUNDS] [-t THREADS] [-b BUILD] [NAME]...
# Prints a table; without names it also goes into BENCHMARKS.md, between its markers. A peer that is not installed
# is left out with a word. A NAME is a row of `rows` below, or the beginning of some.
set -eu
cd "$(dirname "$0")/../.."
rounds=7 threads=$(nproc) build=build
usage() { echo "usage: run.sh [-r ROUNDS] [-t THREADS] [-b BUILD] [NAME]..." >&2; exit 2; }
while getopts r:t:b: option; do
    case $option in
    r) rounds=$OPTARG ;;
    t) threads=$OPTARG ;;
    b) build=$OPTARG ;;
    *) usage ;;
    esac
done
shift $((OPTIND - 1))
case $rounds$threads in *[!0-9]*) usage ;; esac
xent=$build/xent peers=$build/bench
[ -x "$xent" ] || { echo "run.sh: $xent is missing; build it with make" >&2; exit 1; }

# Where these are set, OpenBLAS does not choose its own kernel.
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE OPENBLAS_BLOCK_FACTOR XENT_ISA
export OMP_NUM_THREADS="$threads" OPENBLAS_NUM_THREADS="$threads"

rows="openblas sgemm/64x64x64
openblas sgemm/128x128x128
openblas sgemm/256x256x256
openblas sgemm/512x512x512
openblas sgemm/1024x1024x1024
openblas sgemm/2048x2048x2048
openblas sgemm/128x256x784
openblas sgemm/4096x64x576
openblas sgemm/2048x8192x256
openblas sgemm/1024x32000x256
xnnpack softmax/4096x1024
xnnpack softmax/2048x32768
xnnpack softmax/4x16777216
pytorch step/mlp-b128
pytorch step/mlp-b16
pytorch step/cnn-b128
pytorch step/gpt-b16
pytorch loss/linear-ce-2048x256x32768
pytorch loss/linear-ce-trained-2048x256x32768
pytorch attention/512
pytorch attention/2048
pytorch attention/causal-2048
pytorch convolution/128x32x14x14-64x3
pytorch convolution/gradients-128x32x14x14-64x3"

compile() { # PEER LIBRARIES...: false when its headers or libraries are missing
    peer=$1
    shift
    "${CC:-cc}" -O2 -std=c11 -D_GNU_SOURCE -I. -o "$peers/$peer" "scripts/bench/$peer.c" "$@" -lm 2>/dev/null
}

mkdir -p "$peers"
have=" " python=
compile openblas $(pkg-config --cflags --libs openblas 2>/dev/null) -lopenblas && have="$have""openblas "
compile xnnpack -lXNNPACK -lpthreadpool && have="$have""xnnpack "
for candidate in python3 /usr/bin/python3; do # one in a virtual environment may not see the system's packages
    [ "$python" ] || ! "$candidate" -c 'import torch' 2>/dev/null || python=$candidate
done
[ -z "$python" ] || have="$have""pytorch "
for peer in openblas xnnpack pytorch; do
    case $have in *" $peer "*) ;; *) echo "$peer: skipped, its package is not installed" >&2 ;; esac
done

chosen() { # NAME WORDS...
    name=$1
    shift
    [ $# -gt 0 ] || return 0
    for word in "$@"; do
        case $name in "$word"*) return 0 ;; esac
    done
    return 1
}

ours() { # NAME: "seconds bytes"
    "$xent" bench "$1" --json --quiet --threads "$threads" --set repeat=3 --set peaks=false \
        | sed 's/.*"seconds":\([^,]*\),.*"memory_bytes":\([^,}]*\).*/\1 \2/'
}

theirs() { # PEER NAME: "seconds bytes"
    if [ "$1" = pytorch ]; then
        "$python" scripts/bench/pytorch.py "$2" "$threads"
    else
        "$peers/$1" "$2" "$threads"
    fi
}

times=$(mktemp) table=$(mktemp)
trap 'rm -f "$times" "$table"' EXIT
round=1
while [ "$round" -le "$rounds" ]; do
    echo "$rows" | while read -r peer name; do
        case $have in *" $peer "*) ;; *) continue ;; esac
        chosen "$name" "$@" || continue
        [ ! -t 2 ] || printf '\r\033[Kround %s of %s: %s' "$round" "$rounds" "$name" >&2
        mine=$(ours "$name") || mine=
        other=$(theirs "$peer" "$name") || other=
        if [ -n "$mine" ] && [ -n "$other" ]; then
            echo "$name $peer $mine $other" >> "$times"
        else
            echo "run.sh: $name: no figures, left out" >&2
        fi
    done
    round=$((round + 1))
done
[ ! -t 2 ] || printf '\r\033[K' >&2

version() { # what is compared with, as it names itself
    case $1 in
    openblas) pkg-config --modversion openblas ;;
    xnnpack) dpkg-query -W -f '${Version}' libxnnpack0 2>/dev/null || true ;;
    pytorch) "$python" -c 'import torch; print(torch.__version__)' ;;
    esac
}

{
    echo "Threads $threads, median of $rounds interleaved rounds. Times are milliseconds of one run; above 1, the ratio"
    echo "says that xent is faster. Memory, in MB, is how much the peak of the process grows while the work is prepared"
    echo "and run."
    echo
    echo "| benchmark | peer | time | peer's time | ratio | memory | peer's memory |"
    echo "|---|---|---:|---:|---:|---:|---:|"
} > "$table"
awk '
    function median(list, n,    i, j, t) {
        for (i = 2; i <= n; i++)
            for (j = i; j > 1 && list[j - 1] > list[j]; j--) { t = list[j]; list[j] = list[j - 1]; list[j - 1] = t }
        return (list[int((n + 1) / 2)] + list[int(n / 2) + 1]) / 2
    }
    function column(name, k,    i, list) {
        for (i = 1; i <= count[name]; i++) list[i] = value[name, k, i] + 0
        return median(list, count[name])
    }
    !($1 in count) { order[++rows] = $1; peer[$1] = $2 }
    { n = ++count[$1]; for (k = 3; k <= 6; k++) value[$1, k, n] = $k }
    END {
        for (r = 1; r <= rows; r++) {
            name = order[r]
            ours = column(name, 3); theirs = column(name, 5)
            printf "| %s | %s | %.4g | %.4g | %.2f | %.1f | %.1f |\n", name, peer[name], 1e3 * ours, 1e3 * theirs,
                   theirs / ours, column(name, 4) / 1e6, column(name, 6) / 1e6
        }
    }' "$times" >> "$table"
{
    echo
    for peer in $have; do echo "$peer $(version "$peer")"; done | paste -sd ',' | sed 's/,/, /g; s/$/./; s/^/Peers: /'
} >> "$table"
cat "$table"

[ $# -eq 0 ] || exit 0
{
    echo
    echo '```'
    echo "\$ xent bench --threads $threads"
    "$xent" bench --threads "$threads" --set "repeat=$rounds"
    echo '```'
} >> "$table"
awk -v table="$table" '
    /<!-- bench:end -->/ { inside = 0 }
    !inside { print }
    /<!-- bench:begin -->/ { inside = 1; while ((getline line < table) > 0) print line }' BENCHMARKS.md > "$times"
cat "$times" > BENCHMARKS.md
