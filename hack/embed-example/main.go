// An example: the controller inside a controller-runtime manager, beside whatever
// else the program does. The manager elects the leader, serves the metrics and stops
// everything; the Reconciler is one of its Runnables.
package main

import (
	"flag"
	"fmt"
	"os"

	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
)

func main() {
	endpoint := flag.String("api-endpoint", "storageos", "host, host:port or URL of the StorageOS API")
	secret := flag.String("api-secret-path", "/etc/storageos/secrets/api", "folder with the files username and password")
	namespace := flag.String("namespace", "default", "where the Lease is")
	metricsAddr := flag.String("metrics-addr", ":8080", "address of the metrics")
	flag.Parse() // -kubeconfig is controller-runtime's own flag
	ctrl.SetLogger(klog.Background())

	ctx := ctrl.SetupSignalHandler()
	config, err := ctrl.GetConfig()
	if err == nil {
		err = run(ctx, config, options{*endpoint, *secret, *namespace, *metricsAddr})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "embed-example:", err)
		os.Exit(1)
	}
}
