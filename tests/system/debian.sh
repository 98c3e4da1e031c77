# What the scripts that install Debian packages share; each reads it with ". debian.sh" and then calls these.
#
# Both leave the whole script, with status 0, where nothing can be installed: the tests then skip what needs
# the package and say so themselves.
# shellcheck shell=sh

# need_root WANTED: sets as_root to what comes before a command that only root may run, "" for root itself.
need_root() {
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "no apt-get here: install $1 by hand" >&2
        exit 0
    fi
    if [ "$(id -u)" -eq 0 ]; then
        as_root=""
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        as_root="sudo -n"
    else
        echo "neither root nor sudo without a password: the tests that need $1 will be skipped" >&2
        exit 0
    fi
}

# install_packages PACKAGE...: after need_root.
install_packages() {
    # Another apt may be at work, as on a machine that has just booted: it is waited for.
    $as_root apt-get -o DPkg::Lock::Timeout=300 update -q
    $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -o DPkg::Lock::Timeout=300 install -q -y --no-install-recommends "$@"
}
