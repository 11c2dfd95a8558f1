// The devcluster is a Kubernetes control plane in one binary, for development
// and tests: etcd, kube-apiserver, kube-controller-manager and kubectl, and, for a
// node, kube-scheduler, kubelet, kube-proxy and a name server. Which version of Kubernetes
// it is the Makefile says when it is linked.
package main

import (
	"context"
	"fmt"
	"os"

	"k8s.io/component-base/cli"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"

	"github.com/storageos/volume-sync-controller/hack/devcluster/launcher"
)

func main() {
	launcher.Direct()
	component, args := "", os.Args[1:]
	if len(args) > 0 {
		component, args = args[0], args[1:]
	}
	commands, external, err := launcher.Assets()
	exit(err)
	if !external {
		self, err := os.Executable()
		exit(err)
		commands = launcher.Self(self)
	}
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
	case "kube-scheduler":
		cmd := scheduler.NewSchedulerCommand()
		cmd.SetArgs(args)
		os.Exit(cli.Run(cmd))
	case "kube-proxy":
		cmd := proxy.NewProxyCommand()
		cmd.SetArgs(args)
		os.Exit(cli.Run(cmd))
	case "kubelet":
		cmd := kubelet.NewKubeletCommand(context.Background())
		cmd.SetArgs(args)
		os.Exit(cli.Run(cmd))
	case "dns":
		exit(runDNS(args))
	case "kubectl":
		if commands.Kubectl != nil {
			os.Exit(launcher.Main(os.Args[1:], commands))
		}
		runKubectl(args)
	default:
		os.Exit(launcher.Main(os.Args[1:], commands))
	}
}

func runKubectl(args []string) {
	kubeconfig, err := launcher.Kubeconfig()
	exit(err)
	os.Setenv("KUBECONFIG", kubeconfig)
	os.Args = append([]string{"kubectl"}, args...)
	cmd := kubectl.NewDefaultKubectlCommand()
	cmd.SetArgs(args)
	kubectlutil.CheckErr(cli.RunNoErrOutput(cmd)) // kubectl says itself what is wrong, and ends
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "devcluster:", err)
		os.Exit(1)
	}
}
