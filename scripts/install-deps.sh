#!/bin/sh
# Installs what building and testing xent need on Debian and Ubuntu; does nothing when all is there.
# Needs root: as another user it asks before using sudo, and prints the list when it cannot ask.
set -eu
packages="gcc make libc6-dev libcjson-dev libpng-dev zlib1g-dev libcmocka-dev bats mandoc git"

missing=
for package in $packages; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

install="apt-get install -y --no-install-recommends$missing"
if [ "$(id -u)" = 0 ]; then
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive $install
elif [ -t 0 ] && command -v sudo >/dev/null; then
    printf 'Run "sudo %s"? [y/N] ' "$install"
    read -r answer
    case $answer in y | Y | yes) sudo apt-get update -qq && sudo $install ;; *) exit 1 ;; esac
else
    echo "These packages are missing:$missing" >&2
    echo "Install them as root: $install" >&2
    exit 1
fi
