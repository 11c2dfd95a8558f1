// The devcluster without components of its own: it runs those in the folder
// that KUBEBUILDER_ASSETS names, and takes no time to build.
package main

import (
	"fmt"
	"os"

	"github.com/storageos/volume-sync-controller/hack/devcluster/launcher"
)

func main() {
	commands, ok, err := launcher.Assets()
	if err == nil && !ok {
		err = fmt.Errorf("KUBEBUILDER_ASSETS is not set, and this devcluster has no components of its own: `make devcluster` without it builds one that has")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "devcluster:", err)
		os.Exit(1)
	}
	os.Exit(launcher.Main(os.Args[1:], commands))
}
