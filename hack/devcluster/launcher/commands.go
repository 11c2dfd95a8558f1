package launcher

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Commands are the command lines that each component begins with.
type Commands struct {
	Etcd              []string
	APIServer         []string
	ControllerManager []string      // nil: there is none
	Kubectl           []string      // nil: there is none
	Provisioner       []string      // nil: there is none
	Resizer           []string      // nil: there is none
	Node              *NodeCommands // nil: there are none
}

// NodeCommands are those of a node.
type NodeCommands struct {
	Scheduler []string
	Kubelet   []string
	Proxy     []string
	DNS       []string
	Pause     string // the image of the container that holds the network of a Pod, as a tarball
}

// assetsVariable names a folder with the programs of a control plane, as
// setup-envtest downloads them.
const assetsVariable = "KUBEBUILDER_ASSETS"

// Self makes the commands of a binary that holds all components but those of CSI,
// which are beside it.
func Self(executable string) Commands {
	return Commands{
		Etcd:              []string{executable, "etcd"},
		APIServer:         []string{executable, "kube-apiserver"},
		ControllerManager: []string{executable, "kube-controller-manager"},
		Node: &NodeCommands{
			Scheduler: []string{executable, "kube-scheduler"},
			Kubelet:   []string{executable, "kubelet"},
			Proxy:     []string{executable, "kube-proxy"},
			DNS:       []string{executable, "dns"},
			Pause:     filepath.Join(filepath.Dir(executable), "pause.tar"),
		},
	}.withSidecars(filepath.Dir(executable))
}

// withSidecars adds the sidecar programs of a CSI driver.
func (c Commands) withSidecars(folder string) Commands {
	c.Provisioner = program(folder, "csi-provisioner")
	c.Resizer = program(folder, "csi-resizer")
	return c
}

// Assets makes the commands of the programs in the folder that
// $KUBEBUILDER_ASSETS names. It reports false if the variable is not set.
func Assets() (Commands, bool, error) {
	folder := os.Getenv(assetsVariable)
	if folder == "" {
		return Commands{}, false, nil
	}
	c := Commands{
		Etcd:              program(folder, "etcd"),
		APIServer:         program(folder, "kube-apiserver"),
		ControllerManager: program(folder, "kube-controller-manager"),
		Kubectl:           program(folder, "kubectl"),
	}
	for name, command := range map[string][]string{"etcd": c.Etcd, "kube-apiserver": c.APIServer} {
		if command == nil {
			return Commands{}, true, fmt.Errorf("there is no program %s in %s, the folder that %s names", name, folder, assetsVariable)
		}
	}
	self, err := os.Executable()
	if err != nil {
		return Commands{}, true, err
	}
	return c.withSidecars(filepath.Dir(self)), true, nil
}

// program is the command of a program, nil if it is not there.
func program(folder, name string) []string {
	path := filepath.Join(folder, name)
	if info, err := os.Stat(path); err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
		return nil
	}
	return []string{path}
}

// runKubectl becomes kubectl. It returns only if it cannot.
func runKubectl(c Commands, args []string) error {
	kubeconfig, err := Kubeconfig()
	if err != nil {
		return err
	}
	if c.Kubectl == nil {
		return errors.New("there is no kubectl: use your own, KUBECONFIG=" + kubeconfig)
	}
	if err := os.Setenv("KUBECONFIG", kubeconfig); err != nil {
		return err
	}
	command := append(append([]string{}, c.Kubectl...), args...)
	return fmt.Errorf("starting kubectl: %w", syscall.Exec(command[0], command, os.Environ()))
}
