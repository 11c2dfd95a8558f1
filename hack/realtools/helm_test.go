package realtools

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// world is a cluster with StorageOS in it, where one Helm is at work.
type world struct {
	*cluster
	*storageOS
	helm    string             // "helm4" or "helm3"
	path    string             // of helm and kubectl, as the documents call them
	volumes []simulator.Filled // that StorageOS has
	kept    map[string]object  // the records as they were last
}

// TestHelm tells what people do with the chart, with each Helm that they have. In each story
// records come first, and are the same at its end.
func TestHelm(t *testing.T) {
	t.Parallel()
	for _, helm := range []string{"helm4", "helm3"} {
		t.Run(helm, func(t *testing.T) {
			t.Parallel()
			c := startCluster(t)
			if said := c.kubectl("get", "--raw", "/version"); strings.Contains(said, `"v0.0.0`) {
				t.Fatalf("the dev cluster does not say which version it is, and Helm asks: build it anew by `make bin/devcluster`\n%s", said)
			}
			c.kubectl("create", "namespace", namespace)
			c.kubectl("apply", "-f", "hack/realtools/testdata/operator-crds.yaml")
			for _, story := range []struct {
				name string
				tell func(*world)
			}{
				{"a release", release},
				{"over the CRD of StorageOS", overProduct},
				{"over kustomize and back", overKustomize},
				{"over a chart with crds", overOlderChart},
			} {
				t.Run(story.name, func(t *testing.T) { story.tell(newWorld(t, c, helm)) })
			}
		})
	}
}

func newWorld(t *testing.T, c *cluster, helm string) *world {
	t.Helper()
	own := *c
	own.t = t
	w := &world{cluster: &own, storageOS: startStorageOS(t), helm: helm, path: t.TempDir()}
	must(t, os.Symlink(program(helm+"/helm"), filepath.Join(w.path, "helm")))
	kubectl := fmt.Sprintf("#!/bin/sh\nDEVCLUSTER_DIR='%s' exec '%s' kubectl \"$@\"\n", c.dir, os.Getenv("DEVCLUSTER"))
	must(t, os.WriteFile(filepath.Join(w.path, "kubectl"), []byte(kubectl), 0o700))
	w.volumes = w.Fill(simulator.FillOptions{Namespaces: 2, Nodes: 2, Volumes: 9, CSI: -1})
	t.Cleanup(func() { // as the next story finds it
		w.run("helm uninstall storageos-volume-sync --namespace storageos --ignore-not-found")
		w.run("kubectl delete -k deploy --ignore-not-found")
		w.run("kubectl delete -k deploy/crd --ignore-not-found")
		w.run("kubectl --namespace storageos delete secret storageos-api --ignore-not-found")
	})
	return w
}

// try runs a command as a shell does, in the root of the repository.
func (w *world) try(command string) (string, error) {
	w.t.Helper()
	if w.helm == "helm3" { // which applies on its own side, and knows no conflicts
		command = strings.ReplaceAll(command, " --force-conflicts", "")
	}
	w.t.Logf("$ %s", command)
	cmd := exec.Command("sh", "-ec", command)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "PATH="+w.path+":"+os.Getenv("PATH"), "KUBECONFIG="+w.kubeconfig, "HOME="+w.path)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// run runs a command, which has to succeed.
func (w *world) run(command string) string {
	w.t.Helper()
	out, err := w.try(command)
	if err != nil {
		w.t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return out
}

// refused runs a command that has to fail, and to say why.
func (w *world) refused(command, why string) {
	w.t.Helper()
	out, err := w.try(command)
	if err == nil || !strings.Contains(out, why) {
		w.t.Fatalf("%s has to be refused because of %q: %v\n%s", command, why, err, out)
	}
}

const (
	install   = "helm install storageos-volume-sync deploy/chart --namespace storageos"
	upgrade   = "helm upgrade storageos-volume-sync deploy/chart --namespace storageos"
	uninstall = "helm uninstall storageos-volume-sync --namespace storageos"
	takeOver  = "helm upgrade --install storageos-volume-sync deploy/chart --namespace storageos --take-ownership --force-conflicts"
	noOwner   = "invalid ownership metadata"

	nothingKeeps = "nothing keeps Helm from deleting the CRD, and with it all records"
	keepCRD      = "kubectl annotate --overwrite crd volumes.api.storageos.com helm.sh/resource-policy=keep"
	rehearsed    = "--reset-then-reuse-values --set deleteOrphans=false"
	applyCRD     = "kubectl apply -k deploy/crd"
	applyRest    = "kubectl apply -k deploy"
	keptByHelm   = "[CustomResourceDefinition] volumes.api.storageos.com" // Helm says so
)

// record lets the program run with an administrator's rights until each volume has a record.
func (w *world) record(complete bool) {
	w.t.Helper()
	w.runController(w.kubeconfig, []string{"-api-poll-interval=1s"}, complete)
}

// keeps lets the program run as it is installed, with its flags and its rights: it makes the
// record of one more volume, and leaves those that are there.
func (w *world) keeps() {
	w.t.Helper()
	if !w.crdIsCurrent() {
		w.t.Error("the CRD is not that of this version")
	}
	before := w.kept
	w.volumes = append(w.volumes, w.Fill(simulator.FillOptions{Volumes: 1, CSI: -1})...)
	w.runController(w.asDeployed(), w.deployed(), true)
	for n, r := range before {
		if got := w.kept[n].at("metadata", "uid"); got != r.at("metadata", "uid") {
			w.t.Errorf("record %s is another one: its UID was %v, is %v", n, r.at("metadata", "uid"), got)
		}
	}
}

func (w *world) runController(kubeconfig string, args []string, complete bool) {
	w.t.Helper()
	p := w.controller(w.cluster, kubeconfig, freeAddress(w.t), args)
	w.recorded(len(w.volumes), complete)
	eventually(w.t, "the Lease of the listings names the cluster that was listed", 30*time.Second, func() error {
		if is := w.get("-n", namespace, "lease", name+"-listing").at("spec", "holderIdentity"); is != w.ClusterID() {
			return fmt.Errorf("it names %v", is)
		}
		return nil
	})
	p.end()
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		w.t.Errorf("the controller ended with %d: %s", code, p.log.tail())
	}
	w.kept = w.records()
}

// same checks that nobody has touched a record.
func (w *world) same() {
	w.t.Helper()
	w.unchanged(w.kept)
}

// deployment reads a field of the Deployment.
func (w *world) deployment(want any, path ...any) {
	w.t.Helper()
	if got := w.get("-n", namespace, "deployment", name).at(path...); fmt.Sprint(got) != fmt.Sprint(want) {
		w.t.Errorf("the Deployment's %v is %v, not %v", path, got, want)
	}
}

// version is that of the program which the chart installs.
func (w *world) version() string {
	w.t.Helper()
	return fmt.Sprint(manifest(w.t, "deploy/chart/Chart.yaml")["appVersion"])
}

// gone checks that nothing is left in the cluster but the CRD and its records.
func (w *world) gone() {
	w.t.Helper()
	left := w.kubectl("get", "deployment,service,serviceaccount,role,rolebinding,clusterrole,clusterrolebinding,networkpolicy,"+
		"poddisruptionbudget,configmap,lease,servicemonitor,prometheusrule,crd", "--all-namespaces", "-o", "name", "-l", "app.kubernetes.io/name="+name)
	if got := strings.Fields(left); !slices.Equal(got, []string{"customresourcedefinition.apiextensions.k8s.io/volumes.api.storageos.com"}) {
		w.t.Errorf("there are left: %q", got)
	}
	w.same()
}
