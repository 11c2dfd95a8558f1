#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Puts a program into bin: the one that is installed, or that of a package of Debian.
# Only the program is taken out of the package: to install it might start a server.
#
# Usage: hack/from-debian.sh PROGRAM PACKAGE [NAME IN BIN [FOLDER]]
#
# FOLDER is one of the package that the program wants at its place, which takes root.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
program=$1 package=$2 to=bin/${3:-$1} folder=${4:-}
mkdir -p bin
if installed=$(command -v "$program"); then
	ln -sf "$installed" "$to"
	exit
fi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
# As root, apt gives its downloads to another user.
chmod 755 "$tmp"
fetch() { (cd "$tmp" && apt-get -o APT::Sandbox::User=root download "$package"); }
fetch || { apt-get update && fetch; }
dpkg-deb -x "$tmp/$package"_*.deb "$tmp/package"
if [ -n "$folder" ] && ! [ -e "$folder" ]; then
	mkdir -p "$(dirname "$folder")"
	cp -R "$tmp/package$folder" "$folder"
fi
cp "$tmp/package/usr/bin/$program" "$to"
