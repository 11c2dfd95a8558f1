package realtools

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

// cluster is a control plane of a test's own.
type cluster struct {
	t          *testing.T
	dir        string
	kubeconfig string
}

func startCluster(t *testing.T) *cluster {
	t.Helper()
	dir := t.TempDir()
	c := &cluster{t, dir, filepath.Join(dir, "kubeconfig")}
	p := start(t, exec.Command(os.Getenv("DEVCLUSTER"), "up", "-dir", dir))
	eventually(t, "the cluster is ready", time.Minute, func() error {
		if p.hasEnded() {
			t.Fatalf("the cluster has ended: %s", p.log.tail())
		}
		_, err := os.Stat(c.kubeconfig)
		return err
	})
	return c
}

// kubectl runs it in the root of the repository and returns what it said.
func (c *cluster) kubectl(args ...string) string {
	c.t.Helper()
	out, err := c.tryKubectl("", args...)
	must(c.t, err)
	return out
}

// apply applies a manifest.
func (c *cluster) apply(manifest any) {
	c.t.Helper()
	text, err := json.Marshal(manifest)
	must(c.t, err)
	_, err = c.tryKubectl(string(text), "apply", "-f", "-")
	must(c.t, err)
}

// replace leaves nothing of what was there before.
func (c *cluster) replace(manifest any) {
	c.t.Helper()
	text, err := json.Marshal(manifest)
	must(c.t, err)
	_, err = c.tryKubectl(string(text), "replace", "-f", "-")
	must(c.t, err)
}

func (c *cluster) tryKubectl(stdin string, args ...string) (string, error) {
	cmd := exec.Command(os.Getenv("DEVCLUSTER"), append([]string{"kubectl"}, args...)...)
	cmd.Dir = root
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), "DEVCLUSTER_DIR="+c.dir)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("kubectl %q: %w\n%s%s", args, err, &stdout, &stderr)
	}
	return stdout.String(), nil
}

// object is a manifest, or what Kubernetes keeps.
type object map[string]any

// at follows fields and, where they are numbers, lists; nil if there is no such thing.
func (o object) at(path ...any) any {
	var v any = map[string]any(o)
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			l, _ := v.([]any)
			if p >= len(l) {
				return nil
			}
			v = l[p]
		}
	}
	return v
}

// get reads an object, nil if there is none.
func (c *cluster) get(args ...string) object {
	c.t.Helper()
	out := c.kubectl(append([]string{"get", "--ignore-not-found", "-o", "json"}, args...)...)
	var o object
	if out != "" {
		must(c.t, json.Unmarshal([]byte(out), &o))
	}
	return o
}

const crdFile = "deploy/crd/api.storageos.com_volumes.yaml"

func manifest(t *testing.T, file string) object {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	must(t, err)
	var o object
	must(t, yaml.Unmarshal(text, &o))
	return o
}

// productCRD is the CRD of StorageOS itself, which knows none of the added fields.
func productCRD(t *testing.T) object {
	t.Helper()
	crd := manifest(t, crdFile)
	version := crd.at("spec", "versions", 0).(map[string]any)
	delete(version, "additionalPrinterColumns")
	delete(version, "selectableFields")
	status := object(version).at("schema", "openAPIV3Schema", "properties", "status", "properties").(map[string]any)
	for _, field := range []string{"capacity", "conditions", "health", "persistentVolume", "ready"} {
		delete(status, field)
	}
	delete(crd.at("spec", "names").(map[string]any), "categories")
	delete(crd.at("metadata").(map[string]any), "annotations")
	return crd
}

// crdIsCurrent says whether the CRD in the cluster knows the fields that this version does.
func (c *cluster) crdIsCurrent() bool {
	c.t.Helper()
	path := []any{"spec", "versions", 0, "schema", "openAPIV3Schema", "properties", "status", "properties"}
	is := c.get("crd", "volumes.api.storageos.com")
	want, _ := manifest(c.t, crdFile).at(path...).(map[string]any)
	got, _ := is.at(path...).(map[string]any)
	return len(want) > 5 && reflect.DeepEqual(keys(want), keys(got)) && is.at("spec", "versions", 0, "selectableFields") != nil
}

func keys(m map[string]any) map[string]bool {
	k := map[string]bool{}
	for name := range m {
		k[name] = true
	}
	return k
}

// serves waits until records can be read.
func (c *cluster) serves() {
	c.t.Helper()
	eventually(c.t, "the CRD is served", 20*time.Second, func() error {
		_, err := c.tryKubectl("", "get", "volumes.api.storageos.com")
		return err
	})
}
