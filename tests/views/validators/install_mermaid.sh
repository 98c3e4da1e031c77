#!/bin/sh
# Install Mermaid from npm into a folder of the working tree that git ignores.
#
# Usage: tests/views/validators/install_mermaid.sh FOLDER
#
# Quick when it is there already. Without npm or without a network it says so and leaves with
# status 0, because the tests then skip what needs it and say so themselves.
set -eu

here=$(dirname "$0")
folder=$1
mkdir -p "$folder"
cp "$here/mermaid.mjs" "$folder/"
if [ -e "$folder/made" ] && cmp -s "$here/package.json" "$folder/package.json"; then
    exit 0
fi
if ! command -v npm >/dev/null 2>&1; then
    echo "no npm here: the tests that need Mermaid will be skipped" >&2
    exit 0
fi
rm -f "$folder/made"
cp "$here/package.json" "$folder/"
if (cd "$folder" && npm install --no-package-lock --no-audit --no-fund --loglevel=error); then
    touch "$folder/made"
else
    echo "npm could not install Mermaid: the tests that need it will be skipped" >&2
fi
