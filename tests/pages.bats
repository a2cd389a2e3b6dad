# Pages and completion scripts that are printed from the tables.

setup() {
    cd "$BATS_TEST_TMPDIR"
    for page in $("$XENT" help --pages); do
        "$XENT" help --page "$page" > "$page"
    done
}

@test "there is a page for the config and for every kind that has components" {
    [ -s xent-config.5 ]
    for kind in $("$XENT" list | sed -n 's/^\([a-z]*\)$/\1/p'); do
        [ "$kind" = operations ] || [ "$kind" = benchmarks ] || [ -s "xent-$kind.7" ] || { echo "$kind"; false; }
    done
}

@test "the pages are clean" {
    cp "$BATS_TEST_DIRNAME"/../man/* .
    mandoc -Tlint -Wwarning *.[157]
    "$XENT" help --page xent-losses | mandoc -Tutf8 > /dev/null
}

@test "every component stands on its page" {
    for kind in losses layers datasets metrics; do
        for name in $("$XENT" list "$kind" | sed -n 's/^  \([^ ]*\) .*/\1/p'); do
            grep -qx ".Ss $name" "xent-$kind.7" || { echo "$kind $name"; false; }
        done
    done
}

@test "pages refer to pages that there are" {
    cp "$BATS_TEST_DIRNAME"/../man/* .
    for reference in $(sed -n 's/^\.Xr \(xent[a-z-]*\) \([157]\).*/\1.\2/p' *.[157] | sort -u); do
        [ -f "$reference" ] || { echo "$reference"; false; }
    done
    for name in $("$XENT" help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
        grep -q "^.Xr xent-$name 1" xent.1 || { echo "xent.1 does not name $name"; false; }
    done
}

@test "limits and keys of the config are on its page" {
    for word in "4 MB" "64 levels" "16 files" batch_size extends optimizer; do
        grep -q "$word" xent-config.5
    done
}

@test "bash completes commands, options, kinds and components" {
    "$XENT" help --completion bash > xent.bash
    bash -n xent.bash
    source xent.bash
    complete_words() { COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _xent; }
    complete_words xent tr
    [ "${COMPREPLY[*]}" = train ]
    complete_words xent train --resu
    [ "${COMPREPLY[*]}" = --resume ]
    complete_words xent list los
    [ "${COMPREPLY[*]}" = losses ]
    complete_words xent describe model tra
    [ "${COMPREPLY[*]}" = transformer ]
    complete_words xent analyze bou
    [ "${COMPREPLY[*]}" = bounds ]
    touch config.json
    complete_words xent train conf
    [ "${COMPREPLY[*]}" = config.json ]
}

@test "zsh takes its script" {
    command -v zsh || skip "no zsh"
    "$XENT" help --completion zsh > _xent
    zsh -n _xent
    grep -q "'1:analysis:(.*bounds" _xent
    names=$(zsh -fc 'compadd() { print -r -- "$@"; }; _arguments() { :; }; words=(describe losses); CURRENT=4; . ./_xent; _xent_names')
    [[ "$names" == "-- aldr_kl "*" z_loss" ]]
}

@test "unknown pages and shells are exit 2" {
    for words in "--page nothing" "--completion fish" "--page" "train --pages" "--pages --page xent-losses"; do
        run "$XENT" help $words
        [ "$status" -eq 2 ]
        [ "${#lines[@]}" -eq 1 ]
    done
}
