#!/bin/sh
# Install what the browser tests need from Debian's own package.
#
# Usage: tests/system/install_chromium.sh
#
# Quick when it is there already. Needs root, or sudo that asks no password; with neither it says so
# and leaves with status 0, because the tests then skip what needs a browser and say so themselves.
set -eu
# shellcheck source=tests/system/debian.sh
. "$(dirname "$0")/debian.sh"

if [ -x /usr/bin/chromium ]; then
    exit 0
fi
need_root "chromium as /usr/bin/chromium"

install_packages chromium
