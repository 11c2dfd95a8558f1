package v1

import (
	"encoding/json"
	"os"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

const crdFile = "../../../../deploy/crd/api.storageos.com_volumes.yaml"

// crd is what these tests look at in the file that operators apply. It is
// declared here, and not taken from k8s.io/apiextensions-apiserver, so that the
// product does not depend on an API server for the sake of a test.
type crd struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec struct {
		Group string `json:"group"`
		Names struct {
			Kind       string   `json:"kind"`
			ListKind   string   `json:"listKind"`
			Plural     string   `json:"plural"`
			Singular   string   `json:"singular"`
			ShortNames []string `json:"shortNames"`
			Categories []string `json:"categories"`
		} `json:"names"`
		Scope    string       `json:"scope"`
		Versions []crdVersion `json:"versions"`
	} `json:"spec"`
}

type crdVersion struct {
	Name    string `json:"name"`
	Served  bool   `json:"served"`
	Storage bool   `json:"storage"`
	Schema  struct {
		OpenAPIV3Schema *schemaNode `json:"openAPIV3Schema"`
	} `json:"schema"`
	Subresources map[string]any `json:"subresources"`
	Columns      []column       `json:"additionalPrinterColumns"`
	Selectable   []struct {
		JSONPath string `json:"jsonPath"`
	} `json:"selectableFields"`
}

type column struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Format   string `json:"format"`
	Priority int    `json:"priority"`
	JSONPath string `json:"jsonPath"`
}

type schemaNode struct {
	Type                 string                 `json:"type"`
	Format               string                 `json:"format"`
	IntOrString          bool                   `json:"x-kubernetes-int-or-string"`
	ListType             string                 `json:"x-kubernetes-list-type"`
	ListMapKeys          []string               `json:"x-kubernetes-list-map-keys"`
	MapType              string                 `json:"x-kubernetes-map-type"`
	Properties           map[string]*schemaNode `json:"properties"`
	AdditionalProperties *schemaNode            `json:"additionalProperties"`
	Items                *schemaNode            `json:"items"`

	// keys are all the schema's keywords, also those that are not above.
	keys map[string]json.RawMessage
}

func (n *schemaNode) UnmarshalJSON(data []byte) error {
	type plain schemaNode // without this method
	if err := json.Unmarshal(data, (*plain)(n)); err != nil {
		return err
	}
	return json.Unmarshal(data, &n.keys)
}

// restrictions are the keywords that may refuse a value of the right type. All
// but those known to be harmless count, so that none is overlooked.
func (n *schemaNode) restrictions() []string {
	var keys []string
	for key := range n.keys {
		switch key {
		case "description", "type", "format", "properties", "items", "additionalProperties",
			"x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type":
		default:
			keys = append(keys, key)
		}
	}
	sort.Strings(keys)
	return keys
}

// typeName is the node's type in the notation of the tables below.
func (n *schemaNode) typeName() string {
	switch {
	case n.IntOrString:
		return "quantity"
	case n.AdditionalProperties != nil:
		return "map of " + n.AdditionalProperties.typeName()
	case n.Items != nil:
		return "list of " + n.Items.typeName()
	case n.Format != "":
		return n.Format
	default:
		return n.Type
	}
}

// walk calls visit for every field below n, with its path.
func (n *schemaNode) walk(path string, visit func(path string, n *schemaNode)) {
	names := make([]string, 0, len(n.Properties))
	for name := range n.Properties {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		child := n.Properties[name]
		at := name
		if path != "" {
			at = path + "." + name
		}
		visit(at, child)
		if child.Items != nil {
			visit(at+"[]", child.Items)
			child.Items.walk(at+"[]", visit)
		}
		child.walk(at, visit)
	}
}

// fieldsOfOlderCRD is the schema of the CRD that earlier releases of the product
// installed. People and programs read these fields: none may ever change.
var fieldsOfOlderCRD = map[string]string{
	"spec":                                                     "object",
	"spec.configLabels":                                        "map of string",
	"spec.description":                                         "string",
	"spec.fsType":                                              "string",
	"spec.nfs":                                                 "object",
	"spec.nfs.exports":                                         "list of object",
	"spec.nfs.exports[].exportID":                              "int64",
	"spec.nfs.exports[].path":                                  "string",
	"spec.nfs.exports[].pseudoPath":                            "string",
	"spec.nfs.exports[].acls":                                  "list of object",
	"spec.nfs.exports[].acls[].accessLevel":                    "string",
	"spec.nfs.exports[].acls[].identity":                       "object",
	"spec.nfs.exports[].acls[].identity.identityType":          "string",
	"spec.nfs.exports[].acls[].identity.matcher":               "string",
	"spec.nfs.exports[].acls[].squashConfig":                   "object",
	"spec.nfs.exports[].acls[].squashConfig.uid":               "int64",
	"spec.nfs.exports[].acls[].squashConfig.gid":               "int64",
	"spec.nfs.exports[].acls[].squashConfig.squash":            "string",
	"spec.nfs.serviceEndpoint":                                 "string",
	"spec.replicas":                                            "integer",
	"spec.sizeBytes":                                           "int64",
	"spec.strategy":                                            "integer",
	"status":                                                   "object",
	"status.attachedOn":                                        "string",
	"status.attachedOnHost":                                    "string",
	"status.attachmentType":                                    "string",
	"status.consumerCount":                                     "int64",
	"status.master":                                            "object",
	"status.master.health":                                     "string",
	"status.master.hostname":                                   "string",
	"status.master.id":                                         "string",
	"status.master.nodeID":                                     "string",
	"status.master.promotable":                                 "boolean",
	"status.replicas":                                          "list of object",
	"status.replicas[].health":                                 "string",
	"status.replicas[].hostname":                               "string",
	"status.replicas[].id":                                     "string",
	"status.replicas[].nodeID":                                 "string",
	"status.replicas[].promotable":                             "boolean",
	"status.replicas[].syncProgress":                           "object",
	"status.replicas[].syncProgress.bytesRemaining":            "int64",
	"status.replicas[].syncProgress.estimatedSecondsRemaining": "int64",
	"status.replicas[].syncProgress.throughputBytes":           "int64",
	"status.volumeId":                                          "string",
}

// fieldsAdded is what the present CRD has beyond that.
var fieldsAdded = map[string]string{
	"status.capacity":                         "quantity",
	"status.health":                           "string",
	"status.ready":                            "string",
	"status.persistentVolume":                 "object",
	"status.persistentVolume.name":            "string",
	"status.persistentVolume.phase":           "string",
	"status.persistentVolume.reclaimPolicy":   "string",
	"status.persistentVolume.claim":           "object",
	"status.persistentVolume.claim.namespace": "string",
	"status.persistentVolume.claim.name":      "string",
	"status.conditions":                       "list of object",
	"status.conditions[].type":                "string",
	"status.conditions[].status":              "string",
	"status.conditions[].observedGeneration":  "int64",
	"status.conditions[].lastTransitionTime":  "date-time",
	"status.conditions[].reason":              "string",
	"status.conditions[].message":             "string",
}

func readCRD(t *testing.T) (crd, crdVersion) {
	t.Helper()
	data, err := os.ReadFile(crdFile)
	if err != nil {
		t.Fatal(err)
	}
	var c crd
	if err := yaml.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	if len(c.Spec.Versions) != 1 {
		t.Fatalf("%d versions, want 1", len(c.Spec.Versions))
	}
	if c.Spec.Versions[0].Schema.OpenAPIV3Schema == nil {
		t.Fatal("no schema")
	}
	return c, c.Spec.Versions[0]
}

func TestCRDNames(t *testing.T) {
	t.Parallel()
	c, v := readCRD(t)

	tests := []struct {
		what      string
		got, want any
	}{
		{"apiVersion", c.APIVersion, "apiextensions.k8s.io/v1"},
		{"kind", c.Kind, "CustomResourceDefinition"},
		{"name", c.Metadata.Name, "volumes.api.storageos.com"},
		{"group", c.Spec.Group, GroupName},
		{"version", v.Name, SchemeGroupVersion.Version},
		{"served", v.Served, true},
		{"storage", v.Storage, true},
		{"scope", c.Spec.Scope, "Cluster"},
		{"names.kind", c.Spec.Names.Kind, "Volume"},
		{"names.listKind", c.Spec.Names.ListKind, "VolumeList"},
		{"names.plural", c.Spec.Names.Plural, "volumes"},
		{"names.singular", c.Spec.Names.Singular, "volume"},
		{"names.shortNames", c.Spec.Names.ShortNames, []string(nil)},
		{"names.categories", c.Spec.Names.Categories, []string{"storageos"}},
		{"subresources", v.Subresources, map[string]any{"status": map[string]any{}}},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, tt.got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestCRDFields(t *testing.T) {
	t.Parallel()
	_, v := readCRD(t)

	want := map[string]string{}
	for _, table := range []map[string]string{fieldsOfOlderCRD, fieldsAdded} {
		for path, typ := range table {
			want[path] = typ
		}
	}
	got := map[string]string{}
	for _, part := range []string{"spec", "status"} {
		root := v.Schema.OpenAPIV3Schema.Properties[part]
		if root == nil {
			t.Fatalf("no %s in the schema", part)
		}
		got[part] = root.typeName()
		root.walk(part, func(path string, n *schemaNode) {
			if !strings.HasSuffix(path, "[]") {
				got[path] = n.typeName()
			}
		})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fields and types (-want +got):\n%s", diff)
	}
}

// A record that an older program wrote must be a valid record.
func TestCRDRestrictsNothing(t *testing.T) {
	t.Parallel()
	_, v := readCRD(t)
	root := v.Schema.OpenAPIV3Schema

	check := func(path string, n *schemaNode) {
		switch {
		case strings.HasPrefix(path, "status.conditions[]"), path == "status.capacity":
			// A standard condition and a quantity are checked by their own
			// rules; no older record has either.
		case len(n.restrictions()) > 0:
			t.Errorf("%q is restricted by %q", path, n.restrictions())
		}
	}
	check("", root)
	root.walk("", check)
}

func TestCRDConditionsAreAMap(t *testing.T) {
	t.Parallel()
	_, v := readCRD(t)

	conditions := v.Schema.OpenAPIV3Schema.Properties["status"].Properties["conditions"]
	if conditions == nil {
		t.Fatal("no status.conditions in the schema")
	}
	if conditions.ListType != "map" {
		t.Errorf("list type %q, want map", conditions.ListType)
	}
	if diff := cmp.Diff([]string{"type"}, conditions.ListMapKeys); diff != "" {
		t.Errorf("list map keys (-want +got):\n%s", diff)
	}
}

// What one writer writes as a whole need not be noted field by field, label by label:
// the API server keeps those notes with every record and compares them at every write.
func TestCRDIsWrittenAsAWhole(t *testing.T) {
	t.Parallel()
	_, v := readCRD(t)

	got := map[string]string{}
	v.Schema.OpenAPIV3Schema.walk("", func(path string, n *schemaNode) {
		if n.MapType != "" {
			got[path] = n.MapType
		}
	})
	want := map[string]string{"spec": "atomic", "status.master": "atomic", "status.persistentVolume": "atomic"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("map types (-want +got):\n%s", diff)
	}
}

func TestCRDColumns(t *testing.T) {
	t.Parallel()
	_, v := readCRD(t)

	want := []column{
		{Name: "CLAIM-NAMESPACE", Type: "string", JSONPath: ".status.persistentVolume.claim.namespace"},
		{Name: "CLAIM", Type: "string", JSONPath: ".status.persistentVolume.claim.name"},
		{Name: "CAPACITY", Type: "string", JSONPath: ".status.capacity"},
		{Name: "HEALTH", Type: "string", JSONPath: ".status.health"},
		{Name: "READY", Type: "string", JSONPath: ".status.ready"},
		{Name: "ATTACHED-ON", Type: "string", JSONPath: ".status.attachedOnHost"},
		{Name: "AGE", Type: "date", JSONPath: ".metadata.creationTimestamp"},
		{Name: "VOLUME-ID", Type: "string", Priority: 1, JSONPath: ".status.volumeId"},
		{Name: "PRESENT", Type: "string", Priority: 1, JSONPath: `.status.conditions[?(@.type=="` + ConditionPresent + `")].status`},
		{Name: "BOUND", Type: "string", Priority: 1, JSONPath: `.status.conditions[?(@.type=="` + ConditionBound + `")].status`},
	}
	if diff := cmp.Diff(want, v.Columns); diff != "" {
		t.Errorf("printer columns (-want +got):\n%s", diff)
	}
}

func TestCRDSelectableFields(t *testing.T) {
	t.Parallel()
	_, v := readCRD(t)

	var got []string
	for _, field := range v.Selectable {
		got = append(got, field.JSONPath)
	}
	want := []string{
		".status.volumeId",
		".status.health",
		".status.persistentVolume.claim.namespace",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("selectable fields (-want +got):\n%s", diff)
	}
}
