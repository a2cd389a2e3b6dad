#!/bin/sh
# No layer includes upward (base < kernels < tensor < ... < cli); no file over 500 lines; no line over 120 characters.
set -u
bad=$(mktemp)
trap 'rm -f "$bad"' EXIT

# allowed FOLDER 'REGEX of the folders it may include'
allowed() {
    grep -rn '^#include "' --include='*.[ch]' "$1" 2>/dev/null | grep -vE "#include \"($2)/" >> "$bad"
}
allowed core/base 'core/base'
allowed core/schedules 'core/(base|schedules)'
allowed core/kernels 'core/(base|kernels)'
allowed core/tensor 'core/(base|kernels|tensor)'
allowed core/nn 'core/(base|kernels|tensor|nn)'
allowed core/models 'core/(base|kernels|tensor|nn|models)'
allowed core/optim 'core/(base|schedules|kernels|tensor|nn|optim)'
allowed core/metrics 'core/(base|metrics)'
allowed core/calibrate 'core/(base|metrics|calibrate)'
allowed core/train 'core/(base|schedules|kernels|tensor|nn|models|optim|metrics|train)|losses|data'
allowed core/distill 'core/(base|schedules|kernels|tensor|nn|models|optim|metrics|train|distill)|losses|data'
allowed core/analyze 'core/(base|schedules|kernels|tensor|nn|models|optim|metrics|train|analyze)|losses|data'
allowed core/report 'core/(base|schedules|kernels|tensor|nn|models|optim|metrics|train|calibrate|distill|quantize|analyze|report)|losses|data'
allowed core/bench 'core/(base|schedules|kernels|tensor|nn|models|optim|metrics|train|bench)|losses|data'
allowed losses 'core/(base|schedules|kernels|tensor)|losses'
allowed data 'core/base|data'

find $(ls -d cli core losses data tests 2>/dev/null) -name '*.[ch]' -exec awk 'END { if (NR > 500) print FILENAME ": " NR " lines, more than 500" }' {} \; >> "$bad"
# Characters, not bytes: continuation bytes of UTF-8 do not count.
find $(ls -d cli core losses data tests 2>/dev/null) -name '*.[ch]' -exec sh -c 'for file; do
    LC_ALL=C tr -d "\200-\277" < "$file" | LC_ALL=C awk -v file="$file" "length > 120 { print file \":\" FNR \": longer than 120 characters\" }"
done' sh {} + >> "$bad"
[ -s "$bad" ] || exit 0
cat "$bad" >&2
exit 1
