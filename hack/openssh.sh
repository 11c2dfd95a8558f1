#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Installs ssh-keygen, by which releases are signed, if it is missing. That needs root.

set -euo pipefail
command -v ssh-keygen >/dev/null && exit
if [ "$(id -u)" != 0 ]; then
	echo 'test-release: there is no ssh-keygen, and only root can install it: install openssh-client' >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
install() { apt-get install -y -qq --no-install-recommends openssh-client >/dev/null; }
install || { apt-get update -qq && install; }
