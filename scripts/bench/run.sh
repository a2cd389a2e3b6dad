#!/bin/sh
# xent beside its peers: OpenBLAS (libopenblas-dev), XNNPACK (libxnnpack-dev, libpthreadpool-dev), PyTorch
# (python3-torch) and llm.c (a copy of github.com/karpathy/llm.c). Rounds interleave, ours and the peer's in turn, each
# in a process of its own; figures are medians.
#     LLMC=FOLDER run.sh [-r ROUNDS] [-t THREADS] [-b BUILD] [NAME]...
# Prints a table; without names the tables of tables.sh and what xent bench prints follow, and all of it goes into
# BENCHMARKS.md, between its markers. A peer that is not there is left out with a word. A NAME is one of the third
# column of `rows` below, or the beginning of some.
set -eu
if [ "${LLMC:-}" ]; then # below, the working directory is another
    LLMC=$(CDPATH='' cd -- "$LLMC" && pwd) || exit 1
fi
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

# peer, ratio to reach (-: none), name
rows="openblas 1.0 sgemm/64x64x64
openblas 1.0 sgemm/128x128x128
openblas 1.0 sgemm/256x256x256
openblas 1.0 sgemm/512x512x512
openblas 1.0 sgemm/1024x1024x1024
openblas 1.0 sgemm/2048x2048x2048
openblas 1.0 sgemm/128x256x784
openblas 1.0 sgemm/4096x64x576
openblas 1.0 sgemm/2048x8192x256
openblas 1.0 sgemm/1024x32000x256
xnnpack - softmax/4096x1024
xnnpack 1.2 softmax/2048x32768
xnnpack 1.2 softmax/4x16777216
pytorch 2.0 step/mlp-b128
pytorch 5.0 step/mlp-b16
pytorch 2.0 step/cnn-b128
pytorch 3.0 step/gpt-b16
llmc 8.0 step/gpt-b16
pytorch 1.5 loss/linear-ce-2048x256x32768
pytorch 1.5 loss/linear-ce-trained-2048x256x32768
pytorch - attention/512
pytorch 2.0 attention/2048
pytorch - attention/causal-2048
pytorch - convolution/128x32x14x14-64x3
pytorch - convolution/gradients-128x32x14x14-64x3"

compile() { # PEER LIBRARIES...: false when its headers or libraries are missing
    peer=$1
    shift
    "${CC:-cc}" -O2 -std=gnu11 -D_GNU_SOURCE -I. -o "$peers/$peer" "scripts/bench/$peer.c" "$@" -lm 2>/dev/null
}

mkdir -p "$peers"
have=" " python=
compile openblas $(pkg-config --cflags --libs openblas 2>/dev/null) -lopenblas && have="$have""openblas "
compile xnnpack -lXNNPACK -lpthreadpool && have="$have""xnnpack "
# As its Makefile builds it.
[ -z "${LLMC:-}" ] || { compile llmc -w -Ofast -fno-finite-math-only -march=native -fopenmp -DOMP "-I$LLMC" \
    && have="$have""llmc "; }
for candidate in python3 /usr/bin/python3; do # one in a virtual environment may not see the system's packages
    [ "$python" ] || ! "$candidate" -c 'import torch' 2>/dev/null || python=$candidate
done
[ -z "$python" ] || have="$have""pytorch "
for peer in openblas xnnpack pytorch; do
    case $have in *" $peer "*) ;; *) echo "$peer: skipped, its package is not installed" >&2 ;; esac
done
case $have in *" llmc "*) ;; *) echo "llmc: skipped, LLMC does not name a folder with train_gpt2.c" >&2 ;; esac

chosen() { # NAME WORDS...
    name=$1
    shift
    [ $# -gt 0 ] || return 0
    for word in "$@"; do
        case $name in "$word"*) return 0 ;; esac
    done
    return 1
}

ours() { # NAME: "seconds bytes"; as measure.h and pytorch.py do it, three measurements, or one of what is long
    case $1 in loss/linear-ce*) repeat=1 ;; *) repeat=3 ;; esac
    "$xent" bench "$1" --json --quiet --threads "$threads" --set "repeat=$repeat" --set peaks=false \
        | sed 's/.*"seconds":\([^,]*\),.*"memory_bytes":\([^,}]*\).*/\1 \2/'
}

theirs() { # PEER NAME: "seconds bytes"
    if [ "$1" = pytorch ]; then
        "$python" scripts/bench/pytorch.py "$2" "$threads"
    else
        "$peers/$1" "$2" "$threads" | tail -n 1
    fi
}

times=$(mktemp) table=$(mktemp) medians=$(mktemp) roofs=$(mktemp)
trap 'rm -f "$times" "$table" "$medians" "$roofs"' EXIT
round=1
while [ "$round" -le "$rounds" ]; do
    echo "$rows" | while read -r peer goal name; do
        case $have in *" $peer "*) ;; *) continue ;; esac
        chosen "$name" "$@" || continue
        [ ! -t 2 ] || printf '\r\033[Kround %s of %s: %s' "$round" "$rounds" "$name" >&2
        mine=$(ours "$name") || mine=
        other=$(theirs "$peer" "$name") || other=
        if [ -n "$mine" ] && [ -n "$other" ]; then
            echo "$name $peer $goal $mine $other" >> "$times"
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
    llmc) git -C "$LLMC" describe --always 2>/dev/null || echo "(revision unknown)" ;;
    pytorch) "$python" -c 'import torch; print(torch.__version__)' ;;
    esac
}

# name, peer, goal, and the medians of our seconds and bytes and the peer's
awk '
    function median(list, n,    i, j, t) {
        for (i = 2; i <= n; i++)
            for (j = i; j > 1 && list[j - 1] > list[j]; j--) { t = list[j]; list[j] = list[j - 1]; list[j - 1] = t }
        return (list[int((n + 1) / 2)] + list[int(n / 2) + 1]) / 2
    }
    function column(row, k,    i, list) {
        for (i = 1; i <= count[row]; i++) list[i] = value[row, k, i] + 0
        return median(list, count[row])
    }
    { row = $1 " " $2 " " $3 }
    !(row in count) { order[++rows] = row }
    { n = ++count[row]; for (k = 4; k <= 7; k++) value[row, k, n] = $k }
    END {
        for (r = 1; r <= rows; r++)
            print order[r], column(order[r], 4), column(order[r], 5), column(order[r], 6), column(order[r], 7)
    }' "$times" > "$medians"
[ -s "$medians" ] || { echo "run.sh: nothing was measured" >&2; exit 1; }

{
    echo "Threads $threads, median of $rounds interleaved rounds. Times are milliseconds of one run; above 1, the ratio"
    echo "says that xent is faster. Memory, in MB, is how much the peak of the process grows while the work is prepared"
    echo "and run."
    echo
    echo "| benchmark | peer | time | peer's time | ratio | goal | memory | peer's memory |"
    echo "|---|---|---:|---:|---:|---:|---:|---:|"
    awk '{ printf "| %s | %s | %.4g | %.4g | %.2f | %s | %.1f | %.1f |\n", $1, $2, 1e3 * $4, 1e3 * $6, $6 / $4, $3,
                  $5 / 1e6, $7 / 1e6 }' "$medians"
    echo
    for peer in $have; do echo "$peer $(version "$peer")"; done | paste -sd ',' | sed 's/,/, /g; s/$/./; s/^/Peers: /'
} > "$table"

# Where a goal is missed: what the roof would allow.
missed=$(awk '$3 != "-" && $6 / $4 < $3 { print $1 }' "$medians" | sort -u)
if [ "$missed" ]; then
    # shellcheck disable=SC2086 # a word each
    "$xent" bench $missed --json --quiet --threads "$threads" --set "repeat=$rounds" | tr '{' '\n' | sed -n \
        's/^"name":"\([^"]*\)","seconds":\([^,]*\),.*"share":\([^,]*\),"bound":"\([a-z]*\).*/\1 \2 \3 \4/p' > "$roofs"
    {
        echo
        echo "Goals missed, and the roof: the time that the work takes at least by this machine's peaks, measured again"
        echo "with them in one process, and the ratio to the peer that this time would give."
        echo
        awk 'NR == FNR { seconds[$1] = $2; share[$1] = $3; bound[$1] = $4; next }
             $3 != "-" && $6 / $4 < $3 {
                 roof = seconds[$1] * share[$1]
                 printf "- %s against %s: %.2f of %s. ", $1, $2, $6 / $4, $3
                 printf "It reaches %.1f %% of the roof of %s, which is %.4g ms: at most %.2f.\n", 100 * share[$1],
                        bound[$1] == "memory" ? "memory" : "fused multiply-adds", 1e3 * roof, $6 / roof
             }' "$roofs" "$medians"
    } >> "$table"
fi
cat "$table"

[ $# -eq 0 ] || exit 0
{
    echo
    sh scripts/bench/tables.sh "$xent" "$threads" "$((rounds < 3 ? rounds : 3))"
    echo
    echo "### Everything, as \`xent bench\` prints it"
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
