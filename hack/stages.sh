#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Makes one target after the other, until one fails, and says how long each took:
# hack/stages.sh TARGET...

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

table='' n=0
begun=$SECONDS
note() { # with what became of it
	table+=$(printf '%4d min %02d s  %s%s' $((($SECONDS - begun) / 60)) $((($SECONDS - begun) % 60)) "$stage" "$1")$'\n'
}
for stage in "$@"; do
	printf '\n==> make %s (%d of %d)\n' "$stage" $((n += 1)) $#
	begun=$SECONDS
	"${MAKE:-make}" --no-print-directory "$stage" || {
		note ', failed'
		failed=$stage
		break
	}
	note ''
done
begun=0 stage='in all'
note ''
printf '\n%s' "$table"
[ -z "${failed:-}" ]
