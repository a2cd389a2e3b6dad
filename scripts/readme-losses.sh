#!/bin/sh
# The table of losses, from `xent list losses` and `xent describe loss`: name, targets, properties, summary, source.
#     readme-losses.sh            prints it
#     readme-losses.sh FILE       puts it into FILE, between the lines <!-- losses --> and <!-- /losses -->
set -eu
XENT=${XENT:-"$(dirname "$0")/../build/xent"}
[ -x "$XENT" ] || { echo "readme-losses.sh: $XENT is missing; build it with make, or set XENT" >&2; exit 1; }

text() { # KEY: its text in one line of JSON on standard input; nothing for null
    sed -n "s/.*\"$1\":[ \t]*\"\(\([^\"\\\\]\|\\\\.\)*\)\".*/\1/p" | sed 's/\\\(.\)/\1/g; s/|/\\|/g'
}

properties() { # of one line of JSON on standard input; null: parts decide
    sed -n 's/.*"properties":[ \t]*null.*/those of its parts/p; s/.*"properties":[ \t]*\[\([^]]*\)\].*/\1/p' | sed 's/"//g; s/,[ \t]*/, /g'
}

# arXiv:NUMBER becomes a link.
linked() { sed 's|arXiv:\([0-9][0-9.]*[0-9]\)|[arXiv:\1](https://arxiv.org/abs/\1)|g'; }

table() {
    echo "| loss | targets | | properties | source |"
    echo "|---|---|---|---|---|"
    "$XENT" list losses --json | tr '{' '\n' | sed -n 's/^ *"name":[ \t]*"\([^"]*\)".*/\1/p' | while read -r name; do
        description=$("$XENT" describe loss "$name" --json | tr -d '\n')
        printf '| `%s` | %s | %s | %s | %s |\n' "$name" "$(echo "$description" | text targets)" \
            "$(echo "$description" | text summary)" "$(echo "$description" | properties)" "$(echo "$description" | text source | linked)"
    done
}

if [ $# -eq 0 ]; then
    table
    exit
fi
grep -q '^<!-- losses -->$' "$1" && grep -q '^<!-- /losses -->$' "$1" ||
    { echo "readme-losses.sh: $1: the lines <!-- losses --> and <!-- /losses --> are missing" >&2; exit 1; }
table > "$1.losses.tmp"
awk -v table="$1.losses.tmp" '/^<!-- \/losses -->$/ { inside = 0 }
     !inside { print }
     /^<!-- losses -->$/ { inside = 1; while ((getline line < table) > 0) print line }' "$1" > "$1.tmp"
rm "$1.losses.tmp"
cmp -s "$1.tmp" "$1" || cat "$1.tmp" > "$1"
rm "$1.tmp"
