#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Runs the fault suite and writes the tables of docs/reliability.md out of what it found, or
# out of what an earlier run of the tests has left in the file FAULT_REPORT.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
report="${FAULT_REPORT:-}"
if [[ -z "$report" ]]; then
	report="$(mktemp)"
	trap 'rm -f "$report"' EXIT
	FAULT_REPORT="$report" make test-faults
fi

table() { # of the faults of one side
	echo
	echo "## $2"
	echo
	echo '| fault | meanwhile | right again after |'
	echo '|---|---|---|'
	grep "^| $1: " "$report" | sed "s/^| $1: /| /" | sort
}

# Only the tables are written anew; what stands before and behind them is kept.
before="$(sed '/^## StorageOS$/,$d' docs/reliability.md)"
behind="$(sed -n '/^## Bounds$/,$p' docs/reliability.md)"
{
	echo "$before"
	table StorageOS StorageOS
	table Kubernetes Kubernetes
	table Process 'The process'
	table Input 'What is in the lists and in the records'
	echo
	echo "$behind"
} > docs/reliability.md
