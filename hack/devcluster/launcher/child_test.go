package launcher

import (
	"strings"
	"testing"
)

// What runs in this cluster knows of no other that the shell names.
func TestChildKnowsNoOtherCluster(t *testing.T) {
	t.Setenv("KUBECONFIG", "/elsewhere")
	c := &cluster{dir: t.TempDir(), died: make(chan error, 1)}
	if err := c.run("sidecar", []string{"sh", "-c", "echo KUBECONFIG is ${KUBECONFIG-not set}"}); err != nil {
		t.Fatal(err)
	}
	if said := (<-c.died).Error(); !strings.HasSuffix(said, ": KUBECONFIG is not set") {
		t.Error(said)
	}
}
