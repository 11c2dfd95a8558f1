#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Runs the fault suite and writes docs/reliability.md out of what it found, or out of
# what an earlier run of the tests has left in the file FAULT_REPORT.

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

{
	cat <<'TEXT'
# Reliability

What happens under which fault, as `make reliability` found it: the real binary, a
real control plane, a simulated StorageOS. In every row no record of an existing
volume was deleted, and the last column says how long after the end of the fault
every record was right again. Polls came every 0.2 to 1 s there, not every 5 s, and
several control planes shared two cores: with the defaults, add up to two polls.
Where a process is killed or frozen, the time counts from that moment.

While StorageOS cannot be listed completely nothing is deleted;
`storageos_sync_volume_errors_total` counts and
`storageos_sync_volume_last_success_timestamp_seconds` stands still. While Kubernetes
refuses writes, each key is tried again, at the latest after two polls.
TEXT
	table StorageOS StorageOS
	table Kubernetes Kubernetes
	table Process 'The process'
	table Input 'What is in the lists and in the records'
	cat <<'TEXT'

## Bounds

- `/cluster` fails, other than with 403: records are kept true, but none is made: a
  record is deleted only on the word of the cluster that it names, so that has to be
  known first.
- A volume that comes and goes with each listing: two writes each time, to mark its
  record and to take the mark back. A mark must survive a fail-over.
- What Kubernetes refuses for good (400, 413, 422) is tried again after a minute, or
  when the volume has changed.
- The CRD is replaced by the newer one: records are completed at the next resync.
- Another StorageOS cluster behind the same address: the hold lasts until the first
  answers again or the other is accepted by `-accept-cluster-id`.
- Many volumes gone at once and nothing explains it: their records are held for
  `-mass-orphan-hold`, unless they come back. What a process has deleted shortly
  before a fail-over is not counted by the next one.
- The leader is killed: another leads within `-lease-duration` + 4.4 x
  `-retry-period`, mostly within `-lease-duration` + 2.2 x `-retry-period`. It is
  asked to stop: a standby notices at once; if it may not watch the Lease, within
  2.2 x `-retry-period` + 0.5 s.
- A watch of Kubernetes that stays open and goes quiet is ended by client-go after 5
  to 10 minutes. Until then what StorageOS says is written all the same; what a hand
  does to a record, and what becomes of a PersistentVolume, is not noticed.
- A new volume is unclaimed after the grace like any other, but the event waits until
  no PersistentVolume has come for a grace: a provisioner that has much to do makes
  the PersistentVolume late.
- The product's own CRD, without the fields that were added: records are kept true
  in the fields that it knows, without writing twice. The last PersistentVolume of a
  record cannot be kept there: a deletion after the PersistentVolume has gone counts
  as unexplained.
TEXT
} > docs/reliability.md
