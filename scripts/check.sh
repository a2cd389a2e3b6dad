#!/bin/sh
# Installs what is missing, builds, lints, runs every test. Last line: N passed, N failed, N skipped.
set -eu
cd "$(dirname "$0")/.."
sh scripts/install-deps.sh
make -s -j"$(nproc)" all
make -s lint
make -s -j"$(nproc)" check
