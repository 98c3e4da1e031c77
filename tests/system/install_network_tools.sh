#!/bin/sh
# Install what the tests with networks and clocks of their own need, from Debian's own packages.
#
# Usage: tests/system/install_network_tools.sh
#
# iproute2 makes networks that nobody else sees, libfaketime gives a program a clock that is off. Quick when both are
# there. Needs root, or sudo that asks no password; with neither it says so and leaves with status 0,
# because the tests then skip what needs them and say so themselves.
set -eu

wanted=""
if ! command -v ip >/dev/null 2>&1 && ! [ -x /usr/sbin/ip ]; then
    wanted="iproute2"
fi
found=no
for library in /usr/lib/*/faketime/libfaketime.so.1 /usr/lib/faketime/libfaketime.so.1; do
    if [ -e "$library" ]; then
        found=yes
    fi
done
if [ "$found" = no ]; then
    wanted="$wanted libfaketime"
fi
if [ -z "$wanted" ]; then
    exit 0
fi
if ! command -v apt-get >/dev/null 2>&1; then
    echo "no apt-get here: install iproute2 and libfaketime by hand" >&2
    exit 0
fi
if [ "$(id -u)" -eq 0 ]; then
    as_root=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    echo "neither root nor sudo without a password: tests with networks of their own will be skipped" >&2
    exit 0
fi

$as_root apt-get update -q
# The words of $wanted are package names: they are to be split.
# shellcheck disable=SC2086
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $wanted
