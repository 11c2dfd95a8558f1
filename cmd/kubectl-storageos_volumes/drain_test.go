package main

import (
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// withCRD knows the current CRD too.
func withCRD(t *testing.T, of answering) answering {
	t.Helper()
	crd, err := os.ReadFile("../../deploy/crd/api.storageos.com_volumes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return of.but(crdPath, fromYAML(t, crd))
}

// A listing is not too old when an answer is given, however long the last question took.
func TestAgeLast(t *testing.T) {
	t.Parallel()
	for args, path := range map[string]string{"drain-check worker-1": crdPath, "list": volumesPath, "nodes": csiNodesPath, "list --node worker-1": csiNodesPath, "orphans": pvsPath} {
		of := withCRD(t, answeringOf(0))
		var passed atomic.Int64
		_, stdout, stderr := ask(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == path {
				passed.Store(int64(10 * time.Minute))
			}
			w.Header().Set("Date", time.Now().Add(time.Duration(passed.Load())).UTC().Format(http.TimeFormat))
			of.ServeHTTP(w, r)
		}), strings.Fields(args)...)
		if !strings.Contains(stdout+stderr, "StorageOS was last listed completely ") {
			t.Errorf("%s: %q, %q", args, stdout, stderr)
		}
	}
}

// A node that is named twice, in whatever form, is one.
func TestDrainCheckNamesOnce(t *testing.T) {
	t.Parallel()
	of := withCRD(t, answeringOf(0))
	code, stdout, stderr := ask(t, of, "drain-check", "worker-1", "node/worker-1", "worker-1", "-o", "jsonpath={.verdict}: {.nodes[*].name}")
	if code != exitNot || stdout != "unsafe: worker-1" || !strings.HasPrefix(stderr, "Not safe: without worker-1, 1 of 2 volumes goes Offline; ") {
		t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
	}
}

// What names no node is no node without volumes.
func TestDrainCheckNamesNone(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{""}, {"worker-1", ""}, {"worker-1,"}, {"", "worker-1"}, {"worker-1,,worker-2"}, {"", "-l", "zone=a"}} {
		code, stdout, stderr := ask(t, answeringOf(0), append([]string{"drain-check"}, args...)...)
		if code != exitError || stdout != "" || !strings.Contains(stderr, "one of the nodes has an empty name") {
			t.Errorf("%q: exit code %d, %q, %q", args, code, stdout, stderr)
		}
	}
}

// A node of Kubernetes that labels find is not that of StorageOS with its name as an ID.
func TestDrainCheckCalledLikeID(t *testing.T) {
	t.Parallel()
	node := func(name string) any {
		return objectList(corev1.SchemeGroupVersion.WithKind("Node"), corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	for name, want := range map[string]string{
		"a":        "no CSINode says which node of StorageOS a is, and one of those has that as its ID",
		"x":        "no CSINode says which node of StorageOS x is, and one of those has that as its ID", // without volumes
		"worker-1": "Not safe: ",
	} {
		of := withCRD(t, answeringOf(0)).but(csiNodesPath, csiNodes("worker-1", "a", "worker-2", "x"))
		_, stdout, _ := ask(t, of.but("/api/v1/nodes", node(name)), "drain-check", "--selector", "zone=a")
		if !strings.Contains(stdout, want) {
			t.Errorf("%s: %s", name, stdout)
		}
	}
}
