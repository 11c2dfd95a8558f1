package launcher

import "fmt"

// startSidecars starts what stands beside a CSI driver in a cluster, on the socket
// of a driver that runs or will: they wait for it.
func (c *cluster) startSidecars(commands Commands) error {
	if c.settings.csiSocket == "" {
		return nil
	}
	for _, sidecar := range []struct {
		name    string
		command []string
		args    []string
	}{
		// By default it makes five requests a second: claims would wait for it.
		{"csi-provisioner", commands.Provisioner, []string{"--extra-create-metadata", "--kube-api-qps=50", "--kube-api-burst=100"}},
		{"csi-resizer", commands.Resizer, nil},
	} {
		if sidecar.command == nil {
			return fmt.Errorf("there is no %s beside this program: `make devcluster` builds it", sidecar.name)
		}
		args := append([]string{"--kubeconfig=" + c.path("certs/kubeconfig"), "--csi-address=" + c.settings.csiSocket}, sidecar.args...)
		if err := c.run(sidecar.name, sidecar.command, args...); err != nil {
			return err
		}
	}
	return nil
}
