#!/bin/sh
# Builds for arm64 with Debian's cross compiler and runs the unit tests under qemu-user. As root it installs
# what is missing (a foreign architecture of dpkg); otherwise it says what to install.
set -eu
cd "$(dirname "$0")/.."
packages="gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user libcjson-dev:arm64 libpng-dev:arm64 zlib1g-dev:arm64 libcmocka-dev:arm64"
missing=
for package in $packages; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
done
if [ -n "$missing" ]; then
    if [ "$(id -u)" != 0 ]; then
        echo "Missing:$missing" >&2
        echo "As root: dpkg --add-architecture arm64 && apt-get update && apt-get install$missing" >&2
        exit 1
    fi
    dpkg --add-architecture arm64
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
fi

build=build/arm64
make -s -j"$(nproc)" CC=aarch64-linux-gnu-gcc BUILD=$build $build/xent $(ls tests/test_*.c | sed "s,^\(.*\)\.c$,$build/\1,")
passed=0 failed=0
for test in $build/tests/test_*; do
    [ -x "$test" ] && [ -f "$test" ] || continue
    if qemu-aarch64 "$test" > $build/log 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        cat $build/log
    fi
done
echo "$passed test programs passed, $failed failed"
[ "$failed" -eq 0 ]
