#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Shows what is shipped at work in a cluster with a node: the controller and a
# simulated StorageOS run as Pods, Kubernetes' own csi-provisioner makes the volumes
# of claims. `make demo` builds what it needs. Ctrl-C ends it all.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
temp=$(mktemp -d)
pids=()
end() {
	trap '' INT TERM HUP
	for pid in "${pids[@]}"; do
		kill "$pid" 2>/dev/null || true
	done
	wait
	rm -rf "$temp"
	echo 'demo: everything has stopped'
}
trap end EXIT
trap 'exit 0' INT TERM HUP

export NO_PROXY='*' DEVCLUSTER_DIR=${DEVCLUSTER_DIR:-$PWD/.devcluster}
kubectl() { bin/devcluster kubectl "$@"; }
quietly() { "$@" >"$temp/out" 2>&1 || { cat "$temp/out"; return 1; }; }

bin/devcluster up -node -csi-socket "$temp/csi" &
cluster=$!
pids+=("$cluster")
until [ -e "$DEVCLUSTER_DIR/kubeconfig" ]; do
	kill -0 "$cluster" 2>/dev/null || exit 1
	sleep 0.2
done

# csi-provisioner waits 30 s for the driver, and the driver for nobody.
quietly kubectl apply -f hack/simulator/deploy/namespace.yaml -f hack/simulator/deploy/service.yaml
storageos=$(kubectl get service -n storageos storageos -o 'jsonpath={.spec.clusterIP}')
mkdir "$temp/secret"
for key in username password; do
	echo storageos >"$temp/secret/$key"
done
bin/storageos-csi -socket "$temp/csi" -api-endpoint "http://$storageos:5705" -api-secret-path "$temp/secret" >"$DEVCLUSTER_DIR/storageos-csi.log" 2>&1 &
pids+=($!)
for image in storageos-simulator controller controller-next; do
	quietly bin/devcluster load "bin/$image.tar"
done

echo 'demo: StorageOS, simulated, as a Pod, with volumes that no claim uses'
quietly kubectl apply -k hack/simulator/deploy
quietly kubectl apply -f hack/demo/storageclass.yaml
quietly kubectl rollout status --timeout=60s -n storageos deployment/storageos

echo 'demo: the controller, as it is shipped'
quietly kubectl apply -k deploy/crd
quietly kubectl apply -k deploy
quietly kubectl rollout status --timeout=60s -n storageos deployment/storageos-volume-sync
metrics=$(kubectl get service -n storageos storageos-volume-sync -o 'jsonpath={.spec.clusterIP}')

cat <<END

In a second terminal:
  bin/devcluster kubectl get volumes
  bin/devcluster kubectl apply -f hack/demo/claim.yaml       a claim: its record is there within a second
  PATH=\$PWD/bin:\$PATH bin/devcluster kubectl storageos-volumes drain-check node    may it be drained?
  bin/devcluster kubectl get pods -n storageos
  bin/devcluster kubectl logs -n storageos -l app.kubernetes.io/name=storageos-volume-sync --prefix --tail=-1
  bin/devcluster kubectl get lease -n storageos              who leads
  bin/devcluster kubectl delete pod -n storageos NAME        ... and then another does
  bin/devcluster kubectl set image -n storageos deployment/storageos-volume-sync volume-sync-controller=storageos/volume-sync-controller:next
  bin/devcluster kubectl delete -k deploy                    the records stay
  curl --noproxy '*' $metrics:8080/metrics                   of one of the two: the leader's say more
  curl --noproxy '*' -d '{"volumes":5}' $storageos:5705/sim/change    attach, detach, fail over, resync 5 volumes
Ctrl-C stops everything.

END
wait "$cluster"
