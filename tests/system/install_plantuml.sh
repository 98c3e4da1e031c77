#!/bin/sh
# Install PlantUML from Debian's own packages, for the tests that have it read what we write.
#
# Usage: tests/system/install_plantuml.sh
#
# Quick when it is there already. Needs root, or sudo that asks no password; with neither it says so
# and leaves with status 0, because the tests then skip what needs it and say so themselves.
set -eu
# shellcheck source=tests/system/debian.sh
. "$(dirname "$0")/debian.sh"

if command -v plantuml >/dev/null 2>&1; then
    exit 0
fi
need_root plantuml
install_packages plantuml
