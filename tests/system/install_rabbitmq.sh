#!/bin/sh
# Install what the broker tests need from Debian's own packages, without starting a broker.
#
# Usage: tests/system/install_rabbitmq.sh
#
# Quick when it is there already. Needs root, or sudo that asks no password; with neither it says so
# and leaves with status 0, because the tests then skip what needs a broker and say so themselves.
# A broker that already runs here is never touched: the package's own service is kept from starting
# during the installation, and stays switched off where this script was the one to install it.
set -eu
# shellcheck source=tests/system/debian.sh
. "$(dirname "$0")/debian.sh"

server=/usr/lib/rabbitmq/bin/rabbitmq-server
policy=/usr/sbin/policy-rc.d

if [ -x "$server" ]; then
    exit 0
fi
need_root "RabbitMQ 3.9 or later (or set FARSCOPE_TEST_AMQP_URL)"

# invoke-rc.d asks policy-rc.d before it starts any service; 101 means "not allowed".
made_policy=""
restore() {
    if [ -n "$made_policy" ]; then
        $as_root rm -f "$policy"
    fi
}
trap restore EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    made_policy=yes
    $as_root chmod 755 "$policy"
elif ! $as_root sh -c "\"$policy\" rabbitmq-server start >/dev/null 2>&1; [ \$? -eq 101 ]"; then
    echo "$policy would let the installation start a broker: install rabbitmq-server by hand" >&2
    exit 0
fi

install_packages rabbitmq-server
if [ -d /run/systemd/system ]; then
    # Otherwise the next boot of this machine would start what only the tests wanted.
    $as_root systemctl disable rabbitmq-server.service
fi
