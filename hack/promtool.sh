#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Puts promtool, which tests the alerts, into bin: the one that is installed, or
# that of Debian's package prometheus. Only the program is taken out of the
# package: to install it would start a server.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mkdir -p bin
if installed=$(command -v promtool); then
	ln -sf "$installed" bin/promtool
	exit
fi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
# As root, apt gives its downloads to another user.
chmod 755 "$tmp"
fetch() { (cd "$tmp" && apt-get -o APT::Sandbox::User=root download prometheus); }
fetch || { apt-get update && fetch; }
dpkg-deb -x "$tmp"/prometheus_*.deb "$tmp/package"
cp "$tmp/package/usr/bin/promtool" bin/promtool
