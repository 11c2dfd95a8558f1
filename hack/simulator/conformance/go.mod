module github.com/storageos/volume-sync-controller/hack/simulator/conformance

go 1.26.0

require (
	github.com/getkin/kin-openapi v0.152.0
	github.com/storageos/go-api/v2 v2.4.0
	github.com/storageos/volume-sync-controller v0.0.0
)

replace github.com/storageos/volume-sync-controller => ../../..
