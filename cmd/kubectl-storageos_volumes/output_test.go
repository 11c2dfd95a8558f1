package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/yaml"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// Every format is offered, and after the "=" of a template no space.
func TestCompleteFormat(t *testing.T) {
	t.Parallel()
	for begin, want := range map[string]string{
		"": "table\nwide\njson\nyaml\nkyaml\nname\njsonpath=\njsonpath-as-json=\njsonpath-file=\ngo-template=\ngo-template-file=\n" +
			"custom-columns=\ncustom-columns-file=\n:4\n",
		"w":           "wide\n:4\n",
		"js":          "json\njsonpath=\njsonpath-as-json=\njsonpath-file=\n:4\n",
		"cu":          "custom-columns=\ncustom-columns-file=\n:6\n",
		"jsonpath={.": ":6\n",
	} {
		streams, _, stdout, stderr := genericiooptions.NewTestIOStreams()
		if code := run([]string{"__complete", "nodes", "-o", begin}, streams); code != exitOK || stdout.String() != want {
			t.Errorf("%q: exit code %d, said %q %q, want %q", begin, code, stdout, stderr, want)
		}
	}
}

// A host name is no line of its own, nor does it move the cursor.
func TestPlain(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"host-b": "host-b", "Knöchel '\\": "Knöchel '\\", "a\nSafe: b": `a\nSafe: b`, "a\x1b[2J\r\t\u009b": `a\x1b[2J\r\t\u009b`,
	} {
		if got := plain(text); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	of := answeringOf(0).but(csiNodesPath, csiNodes("worker-1", "a", "worker-2", "old"))
	of[volumesPath].(map[string]any)["items"].([]v1.Volume)[1].Status.Master.Hostname = "x\x1b[2J\nSafe: without worker-2"
	for _, args := range []string{"drain-check worker-2", "list --node worker-2", "nodes", "nodes -o name", "nodes -o wide"} {
		code, stdout, stderr := ask(t, withCRD(t, of), strings.Fields(args)...)
		if strings.Contains(stdout+stderr, "\x1b") || strings.Contains(stdout+stderr, "\nSafe: ") {
			t.Errorf("%s: exit code %d, %q, %q", args, code, stdout, stderr)
		}
	}
}

// What differs in several fields is named once.
func TestNamesOnce(t *testing.T) {
	t.Parallel()
	found := asFindings([]difference{{Object: "Volume/a", Field: "x"}, {Object: "Volume/a", Field: "y"}, {Object: "Volume/b"}}, difference.name)
	var b strings.Builder
	o := output{"name"}
	if err := o.print(&b, nil, nil, found); err != nil || b.String() != "volume.api.storageos.com/a\nvolume.api.storageos.com/b\n" {
		t.Errorf("%q, %v", b.String(), err)
	}
}

// Each format holds the same.
func TestFormats(t *testing.T) {
	t.Parallel()
	file := func(text string) string {
		name := filepath.Join(t.TempDir(), "template")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	rows := [][]any{{"a", "b"}}
	value := []map[string]any{{"name": "a", "kind": "x", "size": 1 << 40}}
	found := asFindings(value, func(v map[string]any) string { return fmt.Sprint("finding/", v["name"]) })
	for format, want := range map[string]string{
		"table": "NAME\na\n", "wide": "NAME   ID\na      b\n", "yaml": "- kind: x\n  name: a\n  size: 1099511627776\n",
		"kyaml": "---\n[{\n  kind: \"x\",\n  name: \"a\",\n  size: 1099511627776,\n}]\n",
		"name":  "finding/a\n", "jsonpath={.items[*].name}": "a", `jsonpath={.items[?(@.kind=="x")].name}`: "a",
		"go-template={{range .items}}{{.name}};{{end}}": "a;", "custom-columns=N:.name,K:.kind": "N     K\na     x\n", "jsonpath={.kind}": "List", "jsonpath={.items[0].size}": "1099511627776",
		"jsonpath-as-json={.items[*].name}": "[\n    \"a\"\n]\n", "jsonpath-file=" + file("{.items[*].kind}"): "x",
		"go-template-file=" + file("{{len .items}}"): "1", "custom-columns-file=" + file("N\n.name"): "N\na\n",
	} {
		var b strings.Builder
		o := output{format}
		if err := o.validate(); err != nil {
			t.Errorf("%s: %v", format, err)
		}
		if err := o.print(&b, columns([]string{"NAME"}, []string{"ID"}), rows, found); err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		if diff := cmp.Diff(want, b.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", format, diff)
		}
	}
	for format, found := range map[string]findings{"json": found, "JSON": asFindings([]string(nil), nil)} {
		var b strings.Builder
		o := output{format}
		if err := errors.Join(o.validate(), o.print(&b, nil, rows, found)); err != nil {
			t.Errorf("%s: %v", format, err)
		}
		want, err := json.Marshal(found.whole)
		var got bytes.Buffer
		if err := errors.Join(err, json.Compact(&got, []byte(b.String()))); err != nil || got.String() != string(want) || strings.Contains(b.String(), "null") {
			t.Errorf("%s: %v, %s, want %s", format, err, &b, want)
		}
	}
}

// Templates see the document that -o json prints, custom columns have a row a volume.
func TestDrainCheckFormats(t *testing.T) {
	t.Parallel()
	f := foretell([]string{"worker-2"}, map[string]string{"worker-2": "b"}, []v1.Volume{copies("v1", "a", "b"), copies("v2", "b")}, nil)
	for format, want := range map[string]string{
		"jsonpath={.verdict} {.nodes[*].name} {.volumes[*].name}": "unsafe worker-2 r-v2 r-v1",
		"jsonpath-as-json={.verdict}":                             "[\n    \"unsafe\"\n]\n",
		"go-template={{.verdict}} {{len .volumes}}":               "unsafe 2",
		"custom-columns=V:.name,O:.outcome":                       "V      O\nr-v2   Offline\nr-v1   Degraded\n",
		"name":                                                    "volume.api.storageos.com/r-v2\nvolume.api.storageos.com/r-v1\n",
	} {
		streams, _, stdout, stderr := genericiooptions.NewTestIOStreams()
		d := &drainCheck{cli: &cli{IOStreams: streams}, output: output{format}}
		if err := d.show(f); err != nil || stdout.String() != want || stderr.String() != f.Summary+"\n" {
			t.Errorf("%s: %v, %q and %q, want %q", format, err, stdout, stderr, want)
		}
	}
	for _, format := range []string{"json", "yaml", "kyaml"} {
		streams, _, stdout, _ := genericiooptions.NewTestIOStreams()
		d := &drainCheck{cli: &cli{IOStreams: streams}, output: output{format}}
		var got foretold
		if err := errors.Join(d.show(f), yaml.Unmarshal(stdout.Bytes(), &got)); err != nil || !cmp.Equal(f, got) {
			t.Errorf("%s: %v\n%s", format, err, stdout)
		}
	}
}
