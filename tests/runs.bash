# Of commands that train: what they print and write.

# fails STATUS PATTERN WORDS...: one line on standard error that matches, nothing on standard output.
fails() {
    local expected=$1 pattern=$2
    shift 2
    run "$@"
    [ "$status" -eq "$expected" ] && [ "${#lines[@]}" -eq 1 ] && [[ "$output" == "xent: "$pattern ]] ||
        { echo "exit $status: $output"; false; }
}

# figure NAME < {"metrics": {..., "NAME": VALUE}}
figure() {
    tr -d ' \t\n' | sed -n "s/.*\"metrics\":{[^}]*\"$1\":\([-0-9.e+]*\).*/\1/p"
}

above() {
    awk -v a="$1" -v b="$2" 'BEGIN { exit !(a > b) }' || { echo "$1 is not above $2"; false; }
}
