#!/bin/sh
# Install what the browser tests need from Debian's own package.
#
# Usage: tests/system/install_chromium.sh
#
# Quick when it is there already. Needs root, or sudo that asks no password; with neither it says so
# and leaves with status 0, because the tests then skip what needs a browser and say so themselves.
set -eu

if [ -x /usr/bin/chromium ]; then
    exit 0
fi
if ! command -v apt-get >/dev/null 2>&1; then
    echo "no apt-get here: install chromium by hand as /usr/bin/chromium" >&2
    exit 0
fi
if [ "$(id -u)" -eq 0 ]; then
    as_root=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    echo "neither root nor sudo without a password: the tests that need a browser will be skipped" >&2
    exit 0
fi

$as_root apt-get update -q
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends chromium
