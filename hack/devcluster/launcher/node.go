package launcher

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"text/template"
	"time"

	_ "embed"
)

// nodeName names the node in Kubernetes.
const nodeName = "node"

// runtimeSocket is that of containerd, in the cluster's folder.
const runtimeSocket = "containerd.sock"

//go:embed node.tmpl
var nodeTemplates string

// nodeFiles writes the configuration of the node's programs into the folder node.
func (c *cluster) nodeFiles() error {
	templates, err := template.New("").Parse(nodeTemplates)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.path("node/cni"), 0o700); err != nil {
		return err
	}
	n := c.settings.network
	values := map[string]string{
		"Dir": c.dir, "Socket": c.path(runtimeSocket), "Plugins": plugins,
		"Cgroup": n.link, "Snapshotter": snapshotter, "Node": n.node, "Pods": n.pods,
	}
	for _, name := range []string{"containerd.toml", "kubelet.yaml", "cni/devcluster.conflist", "resolv.conf"} {
		var text bytes.Buffer
		if err := templates.ExecuteTemplate(&text, name, values); err != nil {
			return err
		}
		if err := os.WriteFile(c.path("node/"+name), text.Bytes(), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// kubeletClient writes the certificate by which the API server is known to the
// kubelet.
func (c *cluster) kubeletClient() error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	certificate := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kube-apiserver", Organization: []string{"system:masters"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, certificate, certificate, key.Public(), key)
	if err != nil {
		return err
	}
	for name, block := range map[string]*pem.Block{
		"kubelet-client.crt": {Type: "CERTIFICATE", Bytes: der},
		"kubelet-client.key": {Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)},
	} {
		if err := os.WriteFile(c.path("certs/"+name), pem.EncodeToMemory(block), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// startNode starts what makes a node, and returns when it is ready for Pods.
func (c *cluster) startNode(ctx context.Context, commands *NodeCommands, server, token string) error {
	n := c.settings.network
	if err := c.nodeFiles(); err != nil {
		return err
	}
	if err := c.run("containerd", []string{"containerd"}, "--config="+c.path("node/containerd.toml")); err != nil {
		return err
	}
	if err := c.loadPause(ctx, commands.Pause); err != nil {
		return err
	}
	kubeconfig := "--kubeconfig=" + c.path("certs/kubeconfig")
	for _, p := range []struct {
		name    string
		command []string
		args    []string
	}{
		{"dns", commands.DNS, []string{"-listen=" + n.node + ":53"}},
		{"kube-scheduler", commands.Scheduler, []string{"--leader-elect=false", "--bind-address=127.0.0.1"}},
		{"kube-proxy", commands.Proxy, []string{
			"--proxy-mode=nftables", "--hostname-override=" + nodeName, "--cluster-cidr=" + n.pods,
			// What it would set belongs to the whole machine.
			"--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0s", "--conntrack-tcp-timeout-close-wait=0s",
		}},
		{"kubelet", commands.Kubelet, []string{
			"--config=" + c.path("node/kubelet.yaml"), "--root-dir=" + c.path("node/kubelet"), "--cert-dir=" + c.path("node"),
			"--hostname-override=" + nodeName, "--node-ip=" + n.node,
		}},
	} {
		if err := c.run(p.name, p.command, append(p.args, kubeconfig)...); err != nil {
			return err
		}
	}
	return c.until(ctx, "the node was", server+"/api/v1/nodes/"+nodeName, token, func(resp *http.Response) bool {
		var node struct {
			Status struct {
				Conditions []struct{ Type, Status string }
			}
		}
		if json.NewDecoder(resp.Body).Decode(&node) != nil {
			return false
		}
		for _, condition := range node.Status.Conditions {
			if condition.Type == "Ready" {
				return condition.Status == "True"
			}
		}
		return false
	})
}

// loadPause waits for containerd and gives it the image without which no Pod starts.
func (c *cluster) loadPause(ctx context.Context, image string) error {
	deadline := time.After(time.Minute)
	for {
		out, err := exec.CommandContext(ctx, "ctr", loadArgs(c.dir, image)...).CombinedOutput()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-c.died:
			return err
		case <-deadline:
			return fmt.Errorf("loading %s: %w: %s", image, err, out)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// snapshotter is one that needs nothing of the file system below.
const snapshotter = "native"

func loadArgs(dir string, image string) []string {
	return []string{"--address", dir + "/" + runtimeSocket, "--namespace", "k8s.io", "images", "import", "--snapshotter", snapshotter, image}
}

// load becomes ctr, which brings images into the node that runs. It returns only
// if it cannot.
func load(args []string) error {
	if len(args) != 1 || strings.HasPrefix(args[0], "-") {
		return fmt.Errorf("which image? devcluster load IMAGE.tar")
	}
	if _, err := os.Stat(defaultDir() + "/" + runtimeSocket); err != nil {
		return fmt.Errorf("no cluster with a node runs in %s: start one with `devcluster up -node`", defaultDir())
	}
	ctr, err := exec.LookPath("ctr")
	if err != nil {
		return err
	}
	return fmt.Errorf("starting ctr: %w", syscall.Exec(ctr, append([]string{"ctr"}, loadArgs(defaultDir(), args[0])...), os.Environ()))
}
