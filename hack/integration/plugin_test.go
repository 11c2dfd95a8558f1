package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// plugin runs the kubectl plugin, which is told where the controller runs, and wants an exit
// code of it.
func (e *env) plugin(path string, want int, args ...string) (stdout, stderr string) {
	e.t.Helper()
	cmd := exec.Command(path, append([]string{"--kubeconfig", e.kubeconfig, "--controller-namespace", "default"}, args...)...)
	temporary := e.t.TempDir()
	cmd.Env = append(os.Environ(), "TMPDIR="+temporary)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run() // the exit code is checked
	if code := cmd.ProcessState.ExitCode(); code != want {
		e.t.Errorf("%q: exit code %d, want %d:\n%s%s", args, code, want, &out, &errs)
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		e.t.Errorf("%q left %v, %v", args, left, err)
	}
	tellsNoSecret(e.t, "the plugin", out.String()+errs.String())
	return out.String(), errs.String()
}

// firsts are the words at the beginnings of the lines of a table, but its head.
func firsts(table string) []string {
	var names []string
	for line := range strings.Lines(table) {
		names = append(names, strings.Fields(line)[0])
	}
	if len(names) > 0 {
		names = names[1:]
	}
	slices.Sort(names)
	return names
}

// The plugin shows the records, finds what is orphaned, and sees whether records
// and StorageOS agree.
func TestPlugin(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	path := filepath.Join(t.TempDir(), "kubectl-storageos_volumes")
	build(t, "../../cmd/kubectl-storageos_volumes", path)
	filled := e.sim.Fill(simulator.FillOptions{Namespaces: 2, Nodes: 3, Volumes: 10, CSI: 8})
	for _, f := range filled[:8] {
		e.persistentVolume(f)
	}
	bad := filled[0]
	e.must(e.sim.UpdateVolume(bad.NamespaceID, bad.ID, func(v *simulator.Volume) { v.Master.Health = "offline" }))
	c := e.controller()
	e.eventually("10 records", 20*time.Second, func() error { return e.right(filled, 0) })
	e.eventually("two are unclaimed", 20*time.Second, func() error {
		if n := c.metric("storageos_volume_orphans", "unclaimed_volume"); n != 2 {
			return fmt.Errorf("%v", n)
		}
		return nil
	})
	e.eventually("the Lease is there", 20*time.Second, func() error {
		_, err := e.kube.CoordinationV1().Leases("default").Get(context.Background(), "storageos-volume-sync-listing", metav1.GetOptions{})
		return err
	})
	verify := []string{"verify", "--api-endpoint", e.endpoint, "--api-secret-path", e.secret, "--settle", "3s"}

	t.Run("list", func(t *testing.T) {
		all, _ := e.plugin(path, 0, "list")
		if n := len(firsts(all)); n != 10 || !strings.HasPrefix(all, "NAME ") {
			t.Errorf("%d volumes:\n%s", n, all)
		}
		offline, _ := e.plugin(path, 0, "list", "--health", "Offline,Degraded", "-o", "wide")
		if got := firsts(offline); !slices.Equal(got, []string{bad.Name}) || !strings.Contains(offline, bad.ID) {
			t.Errorf("offline: %v\n%s", got, offline)
		}
		raw, _ := e.plugin(path, 0, "list", bad.ID, filled[1].Name, "-o", "json")
		var list v1.VolumeList
		if err := json.Unmarshal([]byte(raw), &list); err != nil || len(list.Items) != 2 || list.Items[0].Kind != "Volume" {
			t.Errorf("json: %v\n%s", err, raw)
		}
		if _, said := e.plugin(path, 1, "list", "nobody"); !strings.Contains(said, "no volume is called nobody") {
			t.Errorf("it said %q", said)
		}
		found, said := e.plugin(path, 1, "list", bad.Name, "nobody")
		if !slices.Equal(firsts(found), []string{bad.Name}) || !strings.Contains(said, "no volume is called nobody,") {
			t.Errorf("of two names one is not there:\n%s%s", found, said)
		}
		if out, said := e.plugin(path, 0, "list", "-n", "nowhere"); out != "" || said != "No resources found of claims in namespace nowhere\n" {
			t.Errorf("no hit: %q %q", out, said)
		}
		for _, command := range []string{"list", "nodes"} {
			if out, said := e.plugin(path, 0, command, "--controller-namespace", "elsewhere"); len(firsts(out)) == 0 ||
				!strings.Contains(said, "there is no Lease of the listings in namespace elsewhere") || strings.Count(said, "\n") != 1 {
				t.Errorf("%s, where no controller runs: %q\n%s", command, said, out)
			}
		}
		names, _ := e.plugin(path, 0, "list", "-o", "name")
		again, said := e.plugin(path, 0, append([]string{"list", "-o", "name"}, strings.Fields(names)...)...)
		if again != names || said != "" || strings.Count(names, "\n") != 10 {
			t.Errorf("what is named is not taken back: %q and %q, said %q", names, again, said)
		}
		for format, want := range map[string]string{
			"name": "volume.api.storageos.com/" + bad.Name + "\n", "jsonpath={.items[*].status.volumeId}": bad.ID,
			"custom-columns=ID:.status.volumeId": "ID\n" + bad.ID + "\n",
		} {
			if out, _ := e.plugin(path, 0, "list", bad.ID, "-o", format); out != want {
				t.Errorf("-o %s: %q, want %q", format, out, want)
			}
		}
		if out, _ := e.plugin(path, 0, "__complete", "list", bad.Name[:8]); !strings.Contains(out, bad.Name+"\n") {
			t.Errorf("completed: %q", out)
		}
		host := e.sim.Nodes()[0].Name
		on, _ := e.plugin(path, 0, "list", "--node", host)
		if n := len(firsts(on)); n == 0 || n == 10 {
			t.Errorf("%d volumes have to do with %s", n, host)
		}
		for _, name := range firsts(on) {
			r, err := e.records.StorageOSV1().Volumes().Get(context.Background(), name, metav1.GetOptions{})
			e.must(err)
			if raw, err := json.Marshal(r.Status); err != nil || !strings.Contains(string(raw), `"`+host+`"`) {
				t.Errorf("%s has nothing to do with %s", name, host)
			}
		}
	})
	t.Run("verify", func(t *testing.T) {
		if out, said := e.plugin(path, 0, verify...); out != "" || !strings.Contains(said, "Compared 10 volumes, 10 records and 8 PersistentVolumes: 0 differences.") {
			t.Errorf("%s%s", out, said)
		}
		_, err := e.kube.CoreV1().Secrets("default").Create(context.Background(), &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: "api"},
			StringData: map[string]string{"username": "storageos", "password": password},
		}, metav1.CreateOptions{})
		e.must(err)
		e.plugin(path, 0, "verify", "--api-endpoint", e.endpoint, "--api-secret", "default/api")
		if _, said := e.plugin(path, 2, "verify", "--api-endpoint", e.endpoint); !strings.Contains(said, "--api-secret-path") {
			t.Errorf("it said %q", said)
		}
		if _, said := e.plugin(path, 2, "verify", "--api-endpoint", e.endpoint, "--api-secret-path", "/does/not/be"); !strings.Contains(said, "see --api-secret-path") ||
			strings.Contains(said, "port-forward") || strings.Count(said, "\n") != 1 {
			t.Errorf("it said %q", said)
		}
		if _, said := e.plugin(path, 2, "verify", "--api-endpoint", freeAddress(t), "--api-secret", "default/api"); !strings.Contains(said, "port-forward") {
			t.Errorf("it said %q", said)
		}
	})

	// Nobody corrects anything any more.
	e.must(e.sim.RemoveVolume(filled[1].NamespaceID, filled[1].ID))
	e.eventually("a volume is missing", 20*time.Second, func() error {
		if n := c.metric("storageos_volume_orphans", "missing_volume"); n != 1 {
			return fmt.Errorf("%v", n)
		}
		return nil
	})
	c.stop()
	t.Run("orphans", func(t *testing.T) {
		out, _ := e.plugin(path, 0, "orphans", "--grace", "0s")
		kinds := strings.Join(firsts(out), " ")
		if want := "missing_volume unclaimed_volume unclaimed_volume"; kinds != want && kinds != "absent_record missing_volume unclaimed_volume unclaimed_volume" {
			t.Errorf("%s, want %s:\n%s", kinds, want, out)
		}
		if out, _ := e.plugin(path, 0, "orphans", "--grace", "0s", "-n", "nowhere"); !strings.HasPrefix(out, "There are no orphans of claims in namespace nowhere") {
			t.Errorf("in another namespace:\n%s", out)
		}
	})
	t.Run("verify finds differences", func(t *testing.T) {
		e.must(e.edit(filled[2].Name))
		e.must(e.sim.UpdateVolume(filled[3].NamespaceID, filled[3].ID, func(v *simulator.Volume) { v.FSType = "xfs"; v.SizeBytes = 99 << 30 }))
		out, _ := e.plugin(path, 1, verify...)
		for _, want := range []string{
			"Volume/" + filled[2].Name + " ", "Volume/" + filled[3].Name + " ", "PersistentVolume/" + filled[1].Name + " ", "spec.sizeBytes", fmt.Sprint(99 << 30),
		} {
			if !strings.Contains(out, want) {
				t.Errorf("it does not say %q:\n%s", want, out)
			}
		}
	})
}
