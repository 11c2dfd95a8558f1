#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Installs Chromium, in which the status page is tested, if it is missing and
# this is root. For anybody else that test is left out, which this says.

set -euo pipefail
command -v chromium >/dev/null && exit
if [ "$(id -u)" != 0 ]; then
	echo 'test-page: there is no Chromium, and only root can install it: the page is not tested in a browser'
	exit
fi
export DEBIAN_FRONTEND=noninteractive
install() { apt-get install -y -qq --no-install-recommends chromium >/dev/null; }
install || { apt-get update -qq && install; }
