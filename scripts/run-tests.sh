#!/bin/sh
# Runs the unit tests (cmocka), the fuzz targets on mutated seeds and the command-line tests (bats) of a build folder,
# and adds them up.
set -u
build=$1
passed=0 failed=0 skipped=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

count() { grep -c "$1" "$log" || true; }

for test in "$build"/tests/test_*; do
    [ -x "$test" ] && [ -f "$test" ] || continue
    "$test" > "$log" 2>&1
    status=$?
    good=$(count '^\[       OK \]') bad=$(count '^\[  FAILED  \] [a-z_]*$') over=$(count '^\[  SKIPPED \] [a-z_]*$')
    if [ $status -ne 0 ]; then
        [ "$bad" -gt 0 ] || bad=1
        cat "$log"
    fi
    passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + over))
done

for target in "$build"/replay/fuzz_*; do
    [ -x "$target" ] && [ -f "$target" ] || continue
    name=${target##*/fuzz_}
    if "$target" "tests/fuzz/corpus/$name" 3000 > "$log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "fuzz target $name:"
        cat "$log"
    fi
done

XENT=$(cd "$build" && pwd)/xent bats --tap tests/*.bats > "$log" 2>&1 || cat "$log"
passed=$((passed + $(grep '^ok ' "$log" | grep -vc '# skip')))
skipped=$((skipped + $(count '^ok .*# skip')))
failed=$((failed + $(count '^not ok ')))

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
