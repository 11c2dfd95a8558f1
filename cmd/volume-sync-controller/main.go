// The volume-sync-controller keeps, in Kubernetes, a true record of every
// StorageOS volume.
package main

import (
	"os"

	"github.com/storageos/volume-sync-controller/cmd/volume-sync-controller/app"
)

func main() {
	os.Exit(app.Main(os.Args[1:], os.Stdout, os.Stderr))
}
