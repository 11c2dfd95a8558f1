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
		{"csi-provisioner", commands.Provisioner, []string{"--extra-create-metadata"}},
		{"csi-resizer", commands.Resizer, nil},
	} {
		if sidecar.command == nil {
			return fmt.Errorf("there is no %s beside this program: `make devcluster` builds it", sidecar.name)
		}
		args := append([]string{
			"--kubeconfig=" + c.path("certs/kubeconfig"), "--csi-address=" + c.settings.csiSocket,
			"--kube-api-qps=100", "--kube-api-burst=200", // by default 5 and 10: claims would wait for that
		}, sidecar.args...)
		if err := c.run(sidecar.name, sidecar.command, args...); err != nil {
			return err
		}
	}
	return nil
}
