#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Looks among random histories for one that breaks a rule (TestModel and its brothers):
# hack/model.sh HISTORIES [SEED], 1 unless said. A seed makes the same histories on every
# machine: they are divided by a fixed number, and whatever processors there are share them.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
histories="${1:?usage: hack/model.sh HISTORIES [SEED]}" seed="${2:-1}"
parts=4
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

packages=(pkg/controller pkg/controller/internal/source)
for package in "${packages[@]}"; do
	go test -c -o "$work/${package##*/}.test" "./$package"
done
echo "model: $histories histories of each model, seed $seed; 10,000 take two processors about a minute"
running=()
for ((part = 0; part < parts; part++)); do
	for package in "${packages[@]}"; do
		(cd "$package" && RAPID_SEED=$((seed + part * 1000000007)) "$work/${package##*/}.test" -test.run '^TestModel' \
			-test.timeout 0 -test.v -rapid.checks=$((histories / parts)))
	done >"$work/$part" 2>&1 &
	running+=($!)
done
failed=false
for ((part = 0; part < parts; part++)); do
	wait "${running[part]}" || {
		failed=true
		cat "$work/$part"
	}
done
if $failed; then exit 1; fi
echo "model: no history breaks a rule ($(date -u -d "@$SECONDS" +%T))"
