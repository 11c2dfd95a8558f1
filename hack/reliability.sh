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

# table has a row for all faults of one side that have the same effect, with the longest time.
table() {
	echo
	echo "### $2"
	echo
	echo '| fault | meanwhile | right again after, at most |'
	echo '|---|---|---|'
	grep "^| $1: " "$report" | sed "s/^| $1: //; s/ |$//" | sort | awk -F ' \\| ' '
		function seconds(text,  n, all) {
			all = 0
			while (match(text, /^[0-9.]+(ms|m|s|h)/)) {
				n = substr(text, 1, RLENGTH)
				text = substr(text, RLENGTH + 1)
				all += n ~ /ms$/ ? n / 1000 : n ~ /m$/ ? n * 60 : n ~ /h$/ ? n * 3600 : n + 0
			}
			return all
		}
		!($2 in between) { order[++n] = $2 }
		!seen[$1, $2]++ {
			kind = substr($1, 1, index($1 ": ", ": ") + 1) # of several of a kind, it is said once
			if (kind == before[$2]) faults[$2] = faults[$2] ", " substr($1, length(kind) + 1)
			else faults[$2] = faults[$2] between[$2] $1
			before[$2] = kind
			between[$2] = "; "
		}
		seconds($3) > longest[$2] { longest[$2] = seconds($3); time[$2] = $3 }
		END { for (i = 1; i <= n; i++) printf "| %s | %s | %s |\n", faults[order[i]], order[i], time[order[i]] }'
}

# Only the tables are written anew; what stands before and behind them is kept.
before="$(sed '/^### StorageOS$/,$d' docs/reliability.md)"
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
