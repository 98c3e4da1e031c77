#!/bin/sh
# Install what the tests with networks and clocks of their own need, from Debian's own packages.
#
# Usage: tests/system/install_network_tools.sh
#
# iproute2 makes networks that nobody else sees, libfaketime gives a program a clock that is off. Quick when both are
# there. Needs root, or sudo that asks no password; with neither it says so and leaves with status 0,
# because the tests then skip what needs them and say so themselves.
set -eu
# shellcheck source=tests/system/debian.sh
. "$(dirname "$0")/debian.sh"

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
need_root "iproute2 and libfaketime"

# The words of $wanted are package names: they are to be split.
# shellcheck disable=SC2086
install_packages $wanted
