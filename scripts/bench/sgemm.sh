#!/bin/sh
# Our sgemm beside Debian's OpenBLAS (libopenblas-dev), one thread and two. Build xent first: make.
set -eu
cd "$(dirname "$0")/../.."
pkg-config --exists openblas || { echo "skipped: libopenblas-dev is not installed"; exit 0; }
# Where these are set, OpenBLAS does not choose its own kernel.
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
objects="build/core/base/memory.o build/core/base/random.o build/core/base/threads.o build/core/base/error.o"
gcc -O2 -std=c11 -D_GNU_SOURCE -I. -pthread $(pkg-config --cflags openblas) -o build/bench-sgemm scripts/bench/sgemm.c \
    $objects build/core/kernels/*.o $(pkg-config --libs openblas) -lm
for threads in 1 2; do build/bench-sgemm $threads "${1:-15}"; done
