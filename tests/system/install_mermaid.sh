#!/bin/sh
# Install Mermaid from npm into .stamps/validators, a folder of the working tree that git ignores.
#
# Usage: tests/system/install_mermaid.sh
#
# Quick when it is there already. Without node, npm or a network it says so and leaves with status 0,
# because the tests then skip what needs it and say so themselves.
#
# It is made beside its place and moved there whole, so that whoever sees the folder sees all of it.
set -eu

root=$(dirname "$0")/../..
source=$root/tests/views/validators
place=$root/.stamps/validators

if cmp -s "$source/package.json" "$place/package.json" && cmp -s "$source/mermaid.mjs" "$place/mermaid.mjs"; then
    exit 0
fi
for program in node npm; do
    if ! command -v "$program" >/dev/null 2>&1; then
        echo "no $program here: the tests that need Mermaid will be skipped" >&2
        exit 0
    fi
done
mkdir -p "$root/.stamps"
made=$(mktemp -d "$root/.stamps/validators.XXXXXX")
trap 'rm -rf "$made"' EXIT
cp "$source/package.json" "$source/mermaid.mjs" "$made/"
install() {
    (cd "$made" && npm install --no-package-lock --no-audit --no-fund --loglevel=error) &&
        # An install that npm calls complete and that cannot read a diagram is none.
        printf '"graph TD; a-->b"\n' | node "$made/mermaid.mjs" >/dev/null
}
if install || install; then
    rm -rf "$place"
    mv "$made" "$place"
else
    echo "npm could not install Mermaid: the tests that need it will be skipped" >&2
fi
