package realtools

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// installation is a StorageOS, a cluster, and the two Pods that the manifests want, each a
// process that is started again when it ends, as a kubelet does. Alerts know it by the
// namespace that its series have.
type installation struct {
	*cluster
	*storageOS
	namespace string
	volumes   []simulator.Filled
	pods      []string // their addresses
}

const podsOfAnInstallation = 2

func newInstallation(t *testing.T, labelled string) *installation {
	t.Helper()
	i := &installation{cluster: startCluster(t), storageOS: startStorageOS(t), namespace: labelled}
	i.kubectl("create", "namespace", namespace)
	i.kubectl("apply", "-k", "deploy/crd")
	i.kubectl("apply", "-k", "deploy")
	i.serves()
	i.volumes = i.Fill(simulator.FillOptions{Namespaces: 2, Nodes: 3, Volumes: 60, CSI: -1})
	for _, f := range i.volumes[:2] { // those that are about to go missing
		i.apply(persistentVolume(f))
	}
	args, kubeconfig := i.deployed(), i.asDeployed()
	for range podsOfAnInstallation {
		addr := freeAddress(t)
		i.pods = append(i.pods, addr)
		i.keepRunning(func() *process { return i.controller(i.cluster, kubeconfig, addr, args) })
	}
	i.recorded(len(i.volumes), true)
	return i
}

// keepRunning starts a process again whenever it ends.
func (i *installation) keepRunning(begin func() *process) {
	stop, stopped := make(chan struct{}), sync.WaitGroup{}
	p := begin()
	stopped.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-p.ended:
			}
			select {
			case <-stop:
				return
			case <-time.After(time.Second): // a kubelet waits too
				p = begin()
			}
		}
	})
	i.t.Cleanup(func() {
		close(stop)
		stopped.Wait()
	})
}

func persistentVolume(f simulator.Filled) object {
	return object{
		"apiVersion": "v1", "kind": "PersistentVolume", "metadata": object{"name": f.Name},
		"spec": object{
			"capacity": object{"storage": fmt.Sprint(f.SizeBytes)}, "accessModes": []string{"ReadWriteOnce"},
			"persistentVolumeReclaimPolicy": "Retain", "storageClassName": "storageos",
			"csi": object{"driver": "csi.storageos.com", "volumeHandle": f.Handle()},
		},
	}
}

// remove takes volumes out of StorageOS, and returns what puts them back.
func (i *installation) remove(volumes ...simulator.Filled) (back func()) {
	i.t.Helper()
	var kept []simulator.Volume
	for _, f := range volumes {
		v, err := i.Volume(f.NamespaceID, f.ID)
		must(i.t, err)
		kept = append(kept, v)
		must(i.t, i.RemoveVolume(f.NamespaceID, f.ID))
	}
	return func() {
		for _, v := range kept {
			must(i.t, i.SetVolume(v))
		}
	}
}

// master sets the health of the masters of volumes.
func (i *installation) master(health string, volumes ...simulator.Filled) {
	i.t.Helper()
	for _, f := range volumes {
		must(i.t, i.UpdateVolume(f.NamespaceID, f.ID, func(v *simulator.Volume) { v.Master.Health = health }))
	}
}

// lease patches the Lease of the election.
func (i *installation) lease(spec object) {
	i.t.Helper()
	patch, err := json.Marshal(object{"spec": spec})
	must(i.t, err)
	i.kubectl("-n", namespace, "patch", "lease", name, "--type=merge", "-p", string(patch))
}

// read asks a program for JSON.
func read(url string, into any) error {
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(into)
}
