// Tests that run the real tools, Helm, Prometheus and Alertmanager, on what is shipped. A
// module of its own, for what is in it is no part of the product.
module github.com/storageos/volume-sync-controller/hack/realtools

go 1.26.0

require (
	github.com/storageos/volume-sync-controller v0.0.0
	sigs.k8s.io/yaml v1.6.0
)

require go.yaml.in/yaml/v2 v2.4.4 // indirect

replace github.com/storageos/volume-sync-controller => ../..
