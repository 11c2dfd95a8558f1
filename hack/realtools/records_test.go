package realtools

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"testing"
	"time"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

const (
	namespace = "storageos"
	name      = "storageos-volume-sync"
)

// storageOS is a simulated StorageOS, and the folder with its password.
type storageOS struct {
	*simulator.Simulator
	endpoint, secret string
}

func startStorageOS(t *testing.T) *storageOS {
	t.Helper()
	s := &storageOS{Simulator: simulator.New(simulator.Options{}), secret: t.TempDir()}
	var err error
	s.endpoint, err = s.Start("127.0.0.1:0")
	must(t, err)
	t.Cleanup(s.Close)
	for file, content := range map[string]string{"username": simulator.DefaultUsername, "password": simulator.DefaultPassword} {
		must(t, os.WriteFile(filepath.Join(s.secret, file), []byte(content), 0o600))
	}
	return s
}

// controller starts the program with the args of a Deployment and, after them, what is
// different outside of a Pod. It serves its metrics on addr.
func (s *storageOS) controller(c *cluster, kubeconfig, addr string, args []string) *process {
	c.t.Helper()
	return start(c.t, exec.Command(controllerBinary, append(args[:len(args):len(args)],
		"-kubeconfig", kubeconfig, "-namespace", namespace, "-api-endpoint", s.endpoint, "-api-secret-path", s.secret,
		"-metrics-addr", addr, "-status-addr", "")...))
}

// deployed are the args of the Deployment in the cluster.
func (c *cluster) deployed() (args []string) {
	c.t.Helper()
	list, _ := c.get("-n", namespace, "deployment", name).at("spec", "template", "spec", "containers", 0, "args").([]any)
	for _, arg := range list {
		args = append(args, arg.(string))
	}
	if len(args) < 3 {
		c.t.Fatalf("the Deployment has the args %q", args)
	}
	return args
}

// asDeployed is a kubeconfig with the rights of the service account that is installed.
func (c *cluster) asDeployed() string {
	c.t.Helper()
	token := c.kubectl("-n", namespace, "create", "token", name)
	admins, err := os.ReadFile(c.kubeconfig)
	must(c.t, err)
	own := filepath.Join(c.dir, "kubeconfig-of-the-service-account")
	must(c.t, os.WriteFile(own, regexp.MustCompile(`token: \w+`).ReplaceAll(admins, []byte("token: "+token)), 0o600))
	return own
}

// records are all records, by name.
func (c *cluster) records() map[string]object {
	c.t.Helper()
	all := map[string]object{}
	items, _ := c.get("volumes.api.storageos.com").at("items").([]any)
	for _, item := range items {
		o := object(item.(map[string]any))
		all[o.at("metadata", "name").(string)] = o
	}
	return all
}

// recorded waits until each volume has a record; a complete one, unless the CRD drops what
// makes it so.
func (c *cluster) recorded(volumes int, complete bool) map[string]object {
	c.t.Helper()
	var all map[string]object
	eventually(c.t, fmt.Sprintf("%d records", volumes), 30*time.Second, func() error {
		all = c.records()
		n := 0
		for _, r := range all {
			if r.at("status", "volumeId") != nil && (!complete || r.at("status", "health") != nil) {
				n++
			}
		}
		if n != volumes || len(all) != volumes {
			return fmt.Errorf("of %d records %d are right", len(all), n)
		}
		return nil
	})
	return all
}

// unchanged compares all that there is to records: nobody has written one, or deleted it and
// made it again.
func (c *cluster) unchanged(want map[string]object) {
	c.t.Helper()
	got := c.records()
	if len(want) == 0 || len(got) != len(want) {
		c.t.Fatalf("there were %d records, there are %d", len(want), len(got))
	}
	for n, r := range want {
		if !reflect.DeepEqual(r, got[n]) {
			c.t.Errorf("record %s has been changed, from\n%v\nto\n%v", n, r, got[n])
		}
	}
}
