# For the experiments: sourced. XENT names the program; XENT_SHARED_DATA a folder with fashion-mnist, where there is one.
XENT=${XENT:-build/xent}
[ -x "$XENT" ] || { echo "$0: $XENT is missing; build it with make, or set XENT" >&2; exit 1; }

# experiment_options WORDS...: what every experiment takes sets folder, seeds and quick, whose defaults are the script's.
# Any other word prints the usage line of the script's head.
usage() {
    sed -n "s/^#  *\\($(basename "$0") .*\\)/usage: \\1/p" "scripts/experiments/$(basename "$0")" >&2
    exit 2
}
experiment_options() {
    while [ $# -gt 0 ]; do
        case $1 in
        --quick) quick=1; shift; continue ;;
        esac
        [ $# -ge 2 ] || usage
        case $1 in
        -o) folder=$2 ;;
        --seeds) seeds=$2 ;;
        *) usage ;;
        esac
        shift 2
    done
    case $seeds in '' | *[!0-9]*) usage ;; esac
    [ "$seeds" -ge 2 ] || { echo "$(basename "$0"): intervals need two seeds" >&2; exit 2; }
}

fashion() {
    [ -n "${XENT_SHARED_DATA:-}" ] && [ -e "$XENT_SHARED_DATA/fashion-mnist" ]
}

# json FILE KEY...: the number under metrics' path, as in `json summary.json metrics test accuracy`. Names are unique
# on the way down, objects are cut at the first name of each level.
json() {
    file=$1
    shift
    text=$(tr -d ' \t\n' < "$file")
    for key in "$@"; do
        case $text in *"\"$key\":"*) ;; *) echo "$file: no \"$*\"" >&2; return 1 ;; esac
        text=${text#*"\"$key\":"}
    done
    printf '%s\n' "${text%%[,\}]*}"
}

# train FOLDER WORDS...: a run that has a summary is left alone, one that was stopped begins anew.
train() {
    run=$1
    shift
    [ -s "$run/summary.json" ] || "$XENT" "$@" -o "$run" --force --quiet
}

# Numbers on standard input, one a line -> "mean low high", a 95% interval of Student's t; of one number "mean - -".
interval() {
    awk 'BEGIN { n = split("12.706 4.303 3.182 2.776 2.571 2.447 2.365 2.306 2.262 2.228 2.201 2.179 2.160 2.145 2.131 " \
                          "2.120 2.110 2.101 2.093 2.086 2.080 2.074 2.069 2.064 2.060 2.056 2.052 2.048 2.045", t, " ") }
         { x[NR] = $1; sum += $1 }
         END {
             if (NR == 0) exit 1
             mean = sum / NR
             if (NR == 1) { printf "%.6f - -\n", mean; exit }
             for (i = 1; i <= NR; i++) squares += (x[i] - mean) ^ 2
             df = NR - 1
             # Beyond the table the first terms of the Cornish-Fisher expansion, right to three digits.
             quantile = df <= n ? t[df] : 1.95996 + 2.3723 / df + 2.822 / df ^ 2
             half = quantile * sqrt(squares / df / NR)
             printf "%.6f %.6f %.6f\n", mean, mean - half, mean + half
         }'
}

# above A B, below A B: of numbers, for `if`.
above() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a > b) }'; }
below() { above "$2" "$1"; }

# paired A B: two lists of numbers, one a line, of the same seeds -> "mean low high" of the differences A - B.
paired() {
    { echo "$1"; echo "$2"; } | awk '{ x[NR] = $1 } END { for (i = 1; i <= NR / 2; i++) printf "%.9g\n", x[i] - x[NR / 2 + i] }' | interval
}

# difference WORDS A B LEAST: tells the mean of the differences A - B of two lists, with its interval; sets failed=1 where
# it is below LEAST. LEAST -: it is only told; surely: the interval must be above 0.
difference() {
    differences=$(paired "$2" "$3")
    echo "$1: $differences" >&2
    case $4 in
    -) return ;;
    surely) low=${differences#* }; above "${low%% *}" 0 || missed="$1 is not above 0 with its interval" ;;
    *) ! below "${differences%% *}" "$4" || missed="$1 is below $4" ;;
    esac
    [ -z "${missed:-}" ] || { echo "$(basename "$0"): $missed" >&2; failed=1 missed=; }
}
