#!/bin/sh
# Installs what is missing, builds, trains a small network on the built-in data, evaluates it, and says
# where the report is. Usage: sh scripts/quickstart.sh [FOLDER]
set -eu
cd "$(dirname "$0")/.."
folder=${1:-runs/quickstart}
sh scripts/install-deps.sh
make -s -j"$(nproc)" all
build/xent train configs/glyphs-cnn.json -o "$folder" --force > /dev/null
echo
build/xent eval "$folder"
echo
echo "The report: $(cd "$folder" && pwd)/report.html"
