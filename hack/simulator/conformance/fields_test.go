// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package conformance

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// What the simulator sends has exactly the fields of the specification: none
// that it lacks, and none left out where there is a value for each.
func TestFields(t *testing.T) {
	t.Parallel()
	c := newCluster(t, simulator.Options{})
	token := c.login(t)
	for _, test := range []struct {
		method, path, body, schema string
	}{
		{"POST", "/v2/auth/login", `{"username":"storageos","password":"storageos"}`, "UserSession"},
		{"GET", "/v2/cluster", "", "Cluster"},
		{"GET", "/v2/nodes", "", "NodeList"},
		{"GET", "/v2/namespaces", "", "NamespaceList"},
		{"GET", "/v2/namespaces/" + c.namespace + "/volumes/" + c.full, "", "Volume"},
	} {
		value := c.fetch(t, test.method, test.path, test.body, token)
		compare(t, test.schema, c.transport.spec.Components.Schemas[test.schema].Value, value)
	}
}

// Newer servers send more, and nothing that contradicts the specification.
func TestNewerServer(t *testing.T) {
	t.Parallel()
	c := newCluster(t, simulator.Options{NewerServer: true, Shuffle: true})
	token := c.login(t)
	volumes := "/v2/namespaces/" + c.namespace + "/volumes"
	c.send(t, request{name: "volumes", method: "GET", path: volumes, want: 200}, token)
	c.send(t, request{name: "volume", method: "GET", path: volumes + "/" + c.full, want: 200}, token)

	value, _ := c.fetch(t, "GET", volumes+"/"+c.full, "", token).(map[string]any)
	if value["attachedOnHost"] == nil || value["topologyLabels"] == nil {
		t.Errorf("volume %v", value)
	}
}

// compare walks value along schema.
func compare(t *testing.T, at string, schema *openapi3.Schema, value any) {
	t.Helper()
	switch value := value.(type) {
	case []any:
		if schema.Items == nil || len(value) == 0 {
			return
		}
		for _, item := range value {
			compare(t, at+"[]", schema.Items.Value, item)
		}
	case map[string]any:
		specified := properties(schema)
		if len(specified) == 0 {
			return // a map, such as labels
		}
		for name, field := range value {
			property, ok := specified[name]
			if !ok {
				t.Errorf("%s.%s is not in the specification", at, name)
				continue
			}
			compare(t, at+"."+name, property.Value, field)
		}
		for name := range specified {
			if _, ok := value[name]; !ok {
				t.Errorf("%s.%s is not sent", at, name)
			}
		}
	}
}

func (c *cluster) fetch(t *testing.T, method, path, body, token string) any {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var value any
	if err := json.Unmarshal(content, &value); err != nil {
		t.Fatalf("%s: %v: %s", path, err, content)
	}
	return value
}
