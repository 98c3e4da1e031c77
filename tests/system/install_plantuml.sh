#!/bin/sh
# Install PlantUML from Debian's own packages, for the tests that have it read what we write.
#
# Usage: tests/system/install_plantuml.sh
#
# Quick when it is there already. Needs root, or sudo that asks no password; with neither it says so
# and leaves with status 0, because the tests then skip what needs it and say so themselves.
set -eu

if command -v plantuml >/dev/null 2>&1; then
    exit 0
fi
if ! command -v apt-get >/dev/null 2>&1; then
    echo "no apt-get here: install plantuml by hand" >&2
    exit 0
fi
if [ "$(id -u)" -eq 0 ]; then
    as_root=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    echo "neither root nor sudo without a password: the tests that need plantuml will be skipped" >&2
    exit 0
fi
$as_root apt-get update -q
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends plantuml
