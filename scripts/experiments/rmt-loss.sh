#!/bin/sh
# The gradients of the symmetric cross-entropy by which RMT (Doebler, Marsden and Yang 2023) holds a student to its teacher,
# beside those of cross-entropy: two classes, p the student's and q the teacher's probability of the first.
#     rmt-loss.sh [-o FOLDER] [--seeds N] [--quick]
# Prints a Markdown table of `xent loss`'s derivatives by the student's first logit, of symmetric_ce with alpha = beta = 1/2
# and no floor that matters, and of (p - q) / 2 - p (1 - p) log(q / (1 - q)) / 2, what they are by hand. Fails unless they
# agree; unless, where student and teacher are alike, cross-entropy's are 0 and the symmetric ones push uncertain students
# more than sure ones; unless a sure teacher pushes an uncertain student more than by cross-entropy, and a teacher that
# differs pushes a sure student less. Nothing is drawn: --seeds and --quick change nothing.
set -eu
cd "$(dirname "$0")/../.."
. scripts/experiments/shared.sh

folder=runs/rmt-loss seeds=2 quick=
experiment_options "$@"

mkdir -p "$folder"
# p q, a kind a line: alike, uncertain students of surer teachers, sure students of teachers that differ
cat > "$folder/cases" <<'END'
alike 0.6 0.6
alike 0.7 0.7
alike 0.8 0.8
alike 0.9 0.9
alike 0.99 0.99
alike 0.999 0.999
raised 0.5 0.6
raised 0.5 0.9
raised 0.5 0.99
raised 0.6 0.99
limited 0.9 0.5
limited 0.99 0.9
limited 0.99 0.5
limited 0.99 0.01
END
array() { # NAME, columns "a,b" on standard input: NAME_x.npy
    { echo a,b,y; cat; } > "$folder/$1.csv"
    "$XENT" data "{\"data\": {\"type\": \"csv\", \"path\": \"$folder/$1.csv\", \"target\": [\"y\"],
                              \"normalize\": false}}" -o "$folder/$1.npy" --force --quiet > /dev/null
}
awk '{ printf "%.9g,%.9g,0\n", log($2), log(1 - $2) }' "$folder/cases" | array student
awk '{ printf "%.9g,%.9g,0\n", $3, 1 - $3 }' "$folder/cases" | array teacher
derivatives() { # SPEC: by the first logit, of each sample's own loss; the file is the gradient of the mean
    "$XENT" loss "$1" --logits "$folder/student_x.npy" --targets "$folder/teacher_x.npy" --grad "$folder/gradient.npy" \
        --quiet > /dev/null
    od -An -v -j 128 -w8 -t f4 "$folder/gradient.npy" | awk -v "n=$(wc -l < "$folder/cases")" '{ printf "%.9f\n", n * $1 }'
    rm "$folder/gradient.npy"
}
derivatives ce > "$folder/ce"
derivatives '{"type": "symmetric_ce", "alpha": 0.5, "beta": 0.5, "log_zero": -100}' > "$folder/symmetric"

paste "$folder/cases" "$folder/ce" "$folder/symmetric" | awk '
    function size(x) { return x < 0 ? -x : x }
    function shown(x) { return sprintf("%.4f", size(x) < 0.00005 ? 0 : x) }
    function complain(text) { print "rmt-loss.sh: p = " p ", q = " q ": " text > "/dev/stderr"; failed = 1 }
    BEGIN {
        print "| student | teacher | cross-entropy | symmetric | by hand | size, symmetric : cross-entropy |"
        print "|---|---|---|---|---|---|"
    }
    {
        p = $2; q = $3
        hand = (p - q) / 2 - p * (1 - p) * log(q / (1 - q)) / 2
        printf "| %g | %g | %s | %s | %s | %s |\n", p, q, shown($4), shown($5), shown(hand),
               $1 == "alike" ? "-" : sprintf("%.2f", size($5 / $4))
        if (size($5 - hand) > 1e-5) complain("the symmetric derivative is not the one by hand")
        if (size($4 - (p - q)) > 1e-5) complain("that of cross-entropy is not p - q")
        if ($1 == "alike") alike[p] = size($5)
        if ($1 == "raised" && size($5) <= size($4)) complain("an uncertain student is not pushed more")
        if ($1 == "limited" && size($5) >= size($4)) complain("a sure student is not pushed less")
    }
    END {
        p = q = "alike"
        if (!(alike[0.7] > 2 * alike[0.99] && alike[0.8] > 2 * alike[0.99] && alike[0.9] > 2 * alike[0.99]))
            complain("sure students are not pushed less than half as much as those at 0.7 to 0.9")
        if (alike[0.999] >= alike[0.99]) complain("the push does not vanish as students get sure")
        exit failed
    }'
