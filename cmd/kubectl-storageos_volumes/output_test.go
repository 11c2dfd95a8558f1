package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// Every format is offered, and after the "=" of a template no space.
func TestCompleteFormat(t *testing.T) {
	t.Parallel()
	for begin, want := range map[string]string{
		"": "table\nwide\njson\nyaml\nname\njsonpath=\njsonpath-as-json=\njsonpath-file=\ngo-template=\ngo-template-file=\n" +
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
	value := []map[string]string{{"name": "a", "kind": "x"}}
	objects := asObjects(value, func(v map[string]string) string { return "finding/" + v["name"] })
	for format, want := range map[string]string{
		"table": "NAME\na\n", "wide": "NAME   ID\na      b\n", "yaml": "- kind: x\n  name: a\n",
		"name": "finding/a\n", "jsonpath={.items[*].name}": "a", `jsonpath={.items[?(@.kind=="x")].name}`: "a",
		"go-template={{range .items}}{{.name}};{{end}}": "a;", "custom-columns=N:.name,K:.kind": "N     K\na     x\n",
		"jsonpath-as-json={.items[*].name}": "[\n    \"a\"\n]\n", "jsonpath-file=" + file("{.items[*].kind}"): "x",
		"go-template-file=" + file("{{len .items}}"): "1", "custom-columns-file=" + file("N\n.name"): "N\na\n",
	} {
		var b strings.Builder
		o := output{format}
		if err := o.validate(); err != nil {
			t.Errorf("%s: %v", format, err)
		}
		if err := o.print(&b, columns([]string{"NAME"}, []string{"ID"}), rows, value, objects); err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		if diff := cmp.Diff(want, b.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", format, diff)
		}
	}
	var b strings.Builder
	o := output{"json"}
	var got []map[string]string
	if err := o.print(&b, nil, rows, value, objects); err != nil || json.Unmarshal([]byte(b.String()), &got) != nil || !cmp.Equal(value, got) {
		t.Errorf("json: %v: %s", err, &b)
	}
}
