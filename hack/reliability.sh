#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Runs the fault suite and writes docs/reliability.md out of what it found.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
report="$(mktemp)"
trap 'rm -f "$report"' EXIT
FAULT_REPORT="$report" make test-faults
{
	cat <<'TEXT'
# Reliability

What happens under which fault, as `make reliability` found it on two busy cores,
with a poll every 0.2 to 1 seconds. In every one of these rows no record of an
existing volume was deleted, records of the parts that still answered were kept up
to date, and the last column says how long after the end of the fault every record
was right again.

While StorageOS cannot be listed completely, records stay as they are and nothing is
deleted; `storageos_sync_volume_errors_total` counts and
`storageos_sync_volume_last_success_timestamp_seconds` stands still. While Kubernetes
refuses writes, each key is tried again, at the latest after two polls.

| fault | right again after |
|---|---|
TEXT
	sort "$report"
	cat <<'TEXT'

Beyond the table:

- Another StorageOS cluster behind the same address: its volumes are recorded, the
  records of the first are held until it answers again or the other is accepted by
  `-accept-cluster-id`.
- Many volumes gone at once and nothing explains it: their records are held for
  `-mass-orphan-hold`, unless they come back. What a process has deleted shortly
  before a fail-over is not counted by the next one.
- The leader is killed: another leads within `-lease-duration` + 4.4 x
  `-retry-period`; it is asked to stop: within 2.2 x `-retry-period` + 0.5 s. It is
  frozen for longer than its lease: it writes nothing when it wakes up, and ends.
- A watch of Kubernetes that stays open and goes quiet is noticed when client-go's
  watch ends, after 5 to 10 minutes. What StorageOS says is written all the same.
- The product's own CRD, without the fields that were added: records are kept true
  in the fields that it knows, without writing twice. The last PersistentVolume of a
  record cannot be kept there: a deletion after the PersistentVolume has gone counts
  as unexplained.
TEXT
} > docs/reliability.md
