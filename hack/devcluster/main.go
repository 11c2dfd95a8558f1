// The devcluster is a Kubernetes control plane in one binary, for development
// and tests: etcd, kube-apiserver, kube-controller-manager and kubectl.
package main

import (
	"fmt"
	"os"

	"k8s.io/component-base/cli"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"

	"github.com/storageos/volume-sync-controller/hack/devcluster/launcher"
)

func main() {
	if len(os.Args) < 2 {
		launcher.Usage(os.Stderr)
		os.Exit(2)
	}
	component, args := os.Args[1], os.Args[2:]
	switch component {
	case "etcd":
		exit(runEtcd(args))
	case "kube-apiserver":
		cmd := apiserver.NewAPIServerCommand()
		cmd.SetArgs(args)
		os.Exit(cli.Run(cmd))
	case "kube-controller-manager":
		cmd := controllermanager.NewControllerManagerCommand()
		cmd.SetArgs(args)
		os.Exit(cli.Run(cmd))
	case "kubectl":
		kubeconfig, err := launcher.Kubeconfig()
		exit(err)
		os.Setenv("KUBECONFIG", kubeconfig)
		os.Args = append([]string{"kubectl"}, args...)
		cmd := kubectl.NewDefaultKubectlCommand()
		cmd.SetArgs(args)
		if err := cli.RunNoErrOutput(cmd); err != nil {
			os.Exit(1)
		}
	default:
		self, err := os.Executable()
		exit(err)
		os.Exit(launcher.Main(os.Args[1:], launcher.Self(self)))
	}
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "devcluster:", err)
		os.Exit(1)
	}
}
