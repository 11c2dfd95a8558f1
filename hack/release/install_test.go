package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// record is one that the controller might have made.
const record = `
apiVersion: api.storageos.com/v1
kind: Volume
metadata:
  name: kept
spec: {}
`

// install.yaml installs everything into a cluster that has nothing but the namespace:
// Kubernetes knows every field, keeps every field, and serves the CRD. What removes it by
// its label leaves the records.
func TestInstall(t *testing.T) {
	t.Parallel()
	if os.Getenv("DEVCLUSTER") == "" {
		t.Skip("it needs a control plane: make test-release")
	}
	m := released(t)
	kubectl := startCluster(t)
	kubectl("", "create", "namespace", "storageos")
	said := kubectl("", "apply", "--validate=strict", "-f", m.file("install.yaml"))
	want := manifestsIn(t, m.read(t, "install.yaml"))
	if got := strings.Count(said, " created\n"); got != len(want) || got != strings.Count(said, "\n") {
		t.Errorf("%d objects, and kubectl said:\n%s", len(want), said)
	}
	kubectl("", "wait", "--for=condition=Established", "--timeout=60s", "crd/volumes.api.storageos.com")

	var all struct{ Items []map[string]any }
	if err := yaml.Unmarshal([]byte(kubectl("", "get", "-o", "json", "-f", m.file("install.yaml"))), &all); err != nil {
		t.Fatal(err)
	}
	if len(all.Items) != len(want) {
		t.Fatalf("%d objects are there, want %d", len(all.Items), len(want))
	}
	for i, o := range want {
		if diff := cmp.Diff(o, shared(o, all.Items[i])); diff != "" {
			t.Errorf("%v %v (-applied +kept):\n%s", o["kind"], o["metadata"], diff)
		}
	}

	// Of the CRD alone there is nothing more to say.
	if said, want := kubectl("", "apply", "--validate=strict", "-f", m.file("crds.yaml")),
		"customresourcedefinition.apiextensions.k8s.io/volumes.api.storageos.com unchanged\n"; said != want {
		t.Errorf("crds.yaml: %q, want %q", said, want)
	}
	kubectl(record, "create", "-f", "-")
	said = kubectl("", "delete", "-f", m.file("install.yaml"), "-l", "app.kubernetes.io/name=storageos-volume-sync")
	if got := strings.Count(said, " deleted"); got != len(want)-1 {
		t.Errorf("%d objects are deleted, want all of %d but the CRD:\n%s", got, len(want), said)
	}
	kubectl("", "get", "volumes.api.storageos.com", "kept")
}

// This version's image is in the Deployment, and the CRD, alone in the other file, is first.
func TestManifests(t *testing.T) {
	t.Parallel()
	m := released(t)
	all, crds := manifestsIn(t, m.read(t, "install.yaml")), manifestsIn(t, m.read(t, "crds.yaml"))
	if len(crds) != 1 || crds[0]["kind"] != "CustomResourceDefinition" {
		t.Fatalf("crds.yaml is %v", crds)
	}
	if diff := cmp.Diff(crds[0], all[0]); diff != "" {
		t.Errorf("the CRD (-crds.yaml +install.yaml):\n%s", diff)
	}
	if want := "image: storageos/volume-sync-controller:" + m.version + "\n"; bytes.Count(m.read(t, "install.yaml"), []byte(want)) != 1 {
		t.Errorf("%q is not there once", want)
	}
}

func manifestsIn(t *testing.T, text []byte) []map[string]any {
	t.Helper()
	var all []map[string]any
	for doc := range strings.SplitSeq(string(text), "\n---\n") {
		var o map[string]any
		if err := yaml.UnmarshalStrict([]byte(doc), &o); err != nil {
			t.Fatalf("%v in:\n%s", err, doc)
		}
		all = append(all, o)
	}
	return all
}

// shared is what is left of a value if only that counts which another one has, too.
func shared(want, got any) any {
	switch want := want.(type) {
	case map[string]any:
		got, _ := got.(map[string]any)
		left := map[string]any{}
		for key, value := range want {
			if there, ok := got[key]; ok {
				left[key] = shared(value, there)
			}
		}
		return left
	case []any:
		got, _ := got.([]any)
		left := slices.Clone(got)
		for i := range min(len(want), len(got)) {
			left[i] = shared(want[i], got[i])
		}
		return left
	}
	return got
}

// startCluster starts a control plane, and returns kubectl for it. Kubectl has to succeed,
// and has nothing to warn of.
func startCluster(t *testing.T) func(stdin string, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	var log bytes.Buffer
	up := exec.Command(os.Getenv("DEVCLUSTER"), "up", "-dir", dir)
	up.Stdout, up.Stderr = &log, &log
	if err := up.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = up.Wait() // what it says tells more
		close(ended)
	}()
	t.Cleanup(func() {
		_ = up.Process.Signal(syscall.SIGTERM)
		<-ended
		if t.Failed() {
			t.Logf("the cluster said:\n%s", log.String())
		}
	})
	deadline := time.After(3 * time.Minute)
	for {
		if _, err := os.Stat(filepath.Join(dir, "kubeconfig")); err == nil {
			break
		}
		select {
		case <-ended:
			t.Fatal("the cluster has ended")
		case <-deadline:
			t.Fatal("the cluster was not ready within 3 minutes")
		case <-time.After(50 * time.Millisecond):
		}
	}
	return func(stdin string, args ...string) string {
		t.Helper()
		cmd := exec.Command(os.Getenv("DEVCLUSTER"), append([]string{"kubectl"}, args...)...)
		cmd.Env = append(os.Environ(), "DEVCLUSTER_DIR="+dir)
		cmd.Stdin = strings.NewReader(stdin)
		var out, complaints bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &complaints
		if err := cmd.Run(); err != nil || complaints.Len() > 0 {
			t.Fatalf("kubectl %v: %v\n%s%s", args, err, out.String(), complaints.String())
		}
		return out.String()
	}
}
