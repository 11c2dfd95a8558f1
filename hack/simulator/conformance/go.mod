module github.com/storageos/volume-sync-controller/hack/simulator/conformance

go 1.26.0

require (
	github.com/getkin/kin-openapi v0.152.0
	github.com/storageos/go-api/v2 v2.4.0
	github.com/storageos/volume-sync-controller v0.0.0
)

require (
	github.com/antihax/optional v1.0.0 // indirect
	github.com/go-openapi/jsonpointer v1.0.2 // indirect
	github.com/gorilla/mux v1.8.0 // indirect
	github.com/kr/pretty v0.3.1 // indirect
	github.com/oasdiff/yaml v0.1.1 // indirect
	github.com/oasdiff/yaml3 v0.0.14 // indirect
	github.com/santhosh-tekuri/jsonschema/v6 v6.0.3 // indirect
	golang.org/x/oauth2 v0.37.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)

replace github.com/storageos/volume-sync-controller => ../../..
