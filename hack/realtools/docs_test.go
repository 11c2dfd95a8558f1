package realtools

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const operations = "docs/operations.md"

func text(t *testing.T, file string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, file))
	must(t, err)
	return string(raw)
}

// documented is a command that stands in the documents, as it stands there but for the ends
// of lines.
func documented(t *testing.T, command string) string {
	t.Helper()
	for _, file := range []string{operations, "deploy/chart/README.md"} {
		words := strings.Fields(strings.ReplaceAll(text(t, file), "\\\n", ""))
		if strings.Contains(strings.Join(words, " "), command) {
			return command
		}
	}
	t.Fatalf("no document says %q", command)
	return ""
}

// overlay makes the overlay that the documents show, of what is here instead of what was
// released, and returns its folder.
func (w *world) overlay() string {
	w.t.Helper()
	shown := regexp.MustCompile("(?s)```yaml\n# kustomization.yaml\n(.*?)```").FindStringSubmatch(text(w.t, operations))
	if shown == nil {
		w.t.Fatal(operations + " shows no kustomization.yaml")
	}
	here, err := filepath.Abs(root)
	must(w.t, err)
	dir := w.t.TempDir()
	relative, err := filepath.Rel(dir, here)
	must(w.t, err)
	address := regexp.MustCompile(`github\.com/storageos/volume-sync-controller/(\S+)\?ref=\S+`)
	kustomization := address.ReplaceAllString(shown[1], relative+"/$1")
	must(w.t, os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(kustomization), 0o600))
	return dir
}

// looks does what the documents say to see whether it is well, as far as that takes no Pod
// that runs.
func (w *world) looks() {
	w.t.Helper()
	for command, shows := range map[string]string{
		"kubectl -n storageos get pods -l app.kubernetes.io/name=storageos-volume-sync":                     "storageos-volume-sync-",
		"kubectl -n storageos get lease storageos-volume-sync -o jsonpath='{.spec.holderIdentity}'":         "", // it was given back
		"kubectl -n storageos get lease storageos-volume-sync-listing -o jsonpath='{.spec.holderIdentity}'": w.ClusterID(),
		"kubectl -n storageos get lease storageos-volume-sync-listing -o yaml":                              "renewTime:",
		"kubectl -n storageos get events --field-selector involvedObject.kind=Lease":                        "",
		"kubectl get volumes": w.volumes[0].Name,
		"kubectl get volumes --field-selector status.health=Degraded":                                                              "",
		"kubectl get volumes --field-selector status.health=Unknown -o wide":                                                       "",
		"kubectl get volumes --field-selector status.health=Offline":                                                               "",
		"kubectl get events -n default --field-selector reason=VolumeMissing":                                                      "",
		"kubectl get events -n default --field-selector reason=VolumeInvalid":                                                      "",
		`kubectl get volumes -o custom-columns='NAME:.metadata.name,CLUSTER:.metadata.annotations.api\.storageos\.com/cluster-id'`: w.ClusterID(),
	} {
		if out := w.run(documented(w.t, command)); !strings.Contains(out, shows) {
			w.t.Errorf("%s does not show %q:\n%s", command, shows, out)
		}
	}
}
