# The command line as a user types it. XENT is the program under test.

@test "version prints one line" {
    run "$XENT" version
    [ "$status" -eq 0 ]
    [[ "$output" =~ ^xent\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
}

@test "version --json is one object" {
    run "$XENT" version --json
    [ "$status" -eq 0 ]
    [[ "$output" == '{"version": "'* ]]
}

@test "help NAME and NAME --help say the same, for every command" {
    for name in $("$XENT" help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
        [ "$("$XENT" help "$name")" = "$("$XENT" "$name" --help)" ]
    done
}

@test "options have short forms" {
    [ "$("$XENT" calibrate -h)" = "$("$XENT" help calibrate)" ]
    [[ "$("$XENT" help calibrate)" == *"--output DIR "*"(also -o)"* ]]
}

@test "every bad command line gives one line on standard error and exit 2" {
    while IFS= read -r words; do
        run bash -c "\"$XENT\" $words 2>&1 >/dev/null"
        [ "$status" -eq 2 ] || { echo "exit $status: $words"; false; }
        [ "${#lines[@]}" -eq 1 ] && [[ "$output" == "xent: "* ]] || { echo "$words: $output"; false; }
    done <<'END'

nothing
Version
version extra
version --jsn
version --json --json
version --json=1
version --threads
version --threads 0
version --threads -1
version --threads 1x
version --threads 99999999999999999999
version -x
version -hh
version -o x
calibrate -o
calibrate -o a --output b
calibrate -oa
help nothing
help a b
list nothing
list a b
END
}

@test "a full standard output is exit 1" {
    [ -e /dev/full ] || skip "no /dev/full"
    run bash -c "\"$XENT\" help > /dev/full"
    [ "$status" -eq 1 ]
    [[ "$output" == "xent: standard output"* ]]
}

@test "a closed standard output is exit 1" {
    run bash -c "\"$XENT\" help >&-"
    [ "$status" -eq 1 ]
}

@test "control characters of the input, and what is no UTF-8, are not printed" {
    run "$XENT" $'a\033[31m\302\233b\377\303\251'
    [ "$status" -eq 2 ]
    [ "$output" = $'xent: a?[31m?b?\303\251: unknown command; see xent help' ]
}

@test "every command has a page, and the pages are clean" {
    cd "$BATS_TEST_DIRNAME/.."
    for name in $("$XENT" help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
        [ -f "man/xent-$name.1" ]
    done
    mandoc -Tlint -Wwarning man/*.1
}

@test "every option that help lists stands in the command's page or in xent(1)" {
    cd "$BATS_TEST_DIRNAME/.."
    for name in $("$XENT" help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
        for option in $("$XENT" help "$name" | sed -n 's/^  --\([a-z-]*\) .*/\1/p'); do
            grep -qE -- "[ ,](Fl )?-$option( |$)" "man/xent-$name.1" man/xent.1 || { echo "$name: --$option"; false; }
        done
    done
}

@test "an unknown command names the nearest" {
    run "$XENT" evla
    [ "$status" -eq 2 ]
    [[ "$output" == 'xent: evla: unknown command; did you mean "eval"?' ]]
}

@test "a bad XENT_ISA is exit 2 and named" {
    XENT_ISA=mmx run "$XENT" version
    [ "$status" -eq 2 ]
    [[ "$output" == "xent: XENT_ISA "* ]]
}
