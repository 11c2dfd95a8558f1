package launcher

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

const kubeconfigName = "kubeconfig"

// cluster is one running control plane in its folder.
type cluster struct {
	dir      string
	lock     *os.File
	settings settings
	died     chan error
	closing  chan struct{}
	mu       sync.Mutex
	children []*child
	ports    []net.PacketConn // see reservePorts
}

// newCluster takes a folder for a cluster and empties it. Another cluster in it
// is an error.
func newCluster(dir string) (*cluster, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := takeFolder(dir)
	if err != nil {
		return nil, err
	}
	c := &cluster{dir: dir, lock: lock, died: make(chan error, len(components)), closing: make(chan struct{})}
	c.clean()
	for _, name := range components {
		_ = os.Remove(c.path(name + ".log")) // of the cluster before
	}
	return c, nil
}

// components are all that may run.
var components = []string{
	"etcd", "kube-apiserver", "kube-controller-manager", "csi-provisioner", "csi-resizer",
	"containerd", "dns", "kube-scheduler", "kube-proxy", "kubelet",
}

// takeFolder makes the folder this process's until the lock is closed.
func takeFolder(dir string) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		return nil, fmt.Errorf("a cluster runs in %s already", dir)
	}
	return lock, nil
}

func (c *cluster) path(name string) string { return filepath.Join(c.dir, name) }

// clean removes what a cluster leaves but its logs.
func (c *cluster) clean() {
	for _, name := range []string{kubeconfigName, "etcd", "certs", "node", runtimeSocket, runtimeSocket + ".ttrpc"} {
		_ = os.RemoveAll(c.path(name))
	}
}

func (c *cluster) close() {
	_ = os.Remove(c.path(kubeconfigName)) // nobody begins anything with it now
	close(c.closing)
	c.mu.Lock()
	children := slices.Clone(c.children)
	c.mu.Unlock()
	for _, ch := range slices.Backward(children) {
		ch.stop()
	}
	if c.settings.network != nil {
		if err := leave(c.dir, c.settings.network); err != nil {
			fmt.Fprintln(os.Stderr, "devcluster: the node is not quite gone:", err)
		}
	}
	c.clean()
	for _, port := range c.ports {
		port.Close()
	}
	c.lock.Close()
}

// start starts the components one after the other and writes the kubeconfig
// when the API server is ready.
func (c *cluster) start(ctx context.Context, commands Commands) error {
	ports, err := c.reservePorts(3)
	if err != nil {
		return err
	}
	peer := "127.0.0.1:" + ports[1]
	client := cmp.Or(c.settings.etcd, "127.0.0.1:"+ports[0])
	token, err := c.credentials()
	if err != nil {
		return err
	}
	if err := c.run("etcd", commands.Etcd,
		"--name=devcluster", "--data-dir="+c.path("etcd"),
		"--listen-client-urls=http://"+client, "--advertise-client-urls=http://"+client,
		"--listen-peer-urls=http://"+peer, "--initial-advertise-peer-urls=http://"+peer,
		"--initial-cluster=devcluster=http://"+peer,
		// A cluster for development is not to outlive its machine.
		"--unsafe-no-fsync", "--log-level=warn",
	); err != nil {
		return err
	}
	address, more, err := c.apiServerArgs()
	if err != nil {
		return err
	}
	if err := c.run("kube-apiserver", commands.APIServer, append(more,
		"--etcd-servers=http://"+cmp.Or(c.settings.etcdVia, client),
		"--bind-address="+address, "--secure-port="+ports[2], "--advertise-address="+address,
		"--cert-dir="+c.path("certs"),
		"--authorization-mode=RBAC", "--token-auth-file="+c.path("certs/tokens.csv"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file="+c.path("certs/sa.key"),
		"--service-account-signing-key-file="+c.path("certs/sa.key"),
		"--allow-privileged",
		"--audit-policy-file="+c.path("certs/audit.yaml"), "--audit-log-path="+c.path("audit.log"),
	)...); err != nil {
		return err
	}
	server := "https://" + address + ":" + ports[2]
	if err := c.waitReady(ctx, server, token); err != nil {
		return err
	}
	kubeconfig, err := c.kubeconfig(server, token)
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.path("certs/kubeconfig"), kubeconfig, 0o600); err != nil {
		return err
	}
	if err := c.startControllerManager(commands); err != nil {
		return err
	}
	if err := c.startSidecars(commands); err != nil {
		return err
	}
	if c.settings.network != nil {
		if err := c.startNode(ctx, commands.Node, server, token); err != nil {
			return err
		}
	}
	// Last, and at once: that it is there means that the cluster is ready. The
	// components have read their own by the first name or will.
	if err := os.WriteFile(c.path("certs/kubeconfig.new"), kubeconfig, 0o600); err != nil {
		return err
	}
	return os.Rename(c.path("certs/kubeconfig.new"), c.path(kubeconfigName))
}

// apiServerArgs are the address on which the API server listens, and the arguments
// that depend on whether there are Pods to reach it.
func (c *cluster) apiServerArgs() (address string, args []string, err error) {
	n := c.settings.network
	if n == nil {
		return "127.0.0.1", append([]string{
			"--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.0.0.0/24",
		}, c.settings.apiArgs...), nil
	}
	return n.node, append([]string{
		"--service-cluster-ip-range=" + n.services,
		"--kubelet-client-certificate=" + c.path("certs/kubelet-client.crt"),
		"--kubelet-client-key=" + c.path("certs/kubelet-client.key"),
		"--kubelet-preferred-address-types=InternalIP",
	}, c.settings.apiArgs...), c.kubeletClient()
}

func (c *cluster) startControllerManager(commands Commands) error {
	if commands.ControllerManager == nil {
		fmt.Println("devcluster: there is no kube-controller-manager: PersistentVolumes are not bound, nothing is collected")
		return nil
	}
	return c.run("kube-controller-manager", commands.ControllerManager,
		"--kubeconfig="+c.path("certs/kubeconfig"), "--leader-elect=false",
		"--secure-port=0", // nobody asks it anything, and a port that was free may be taken by now
		"--use-service-account-credentials=true",
		"--service-account-private-key-file="+c.path("certs/sa.key"),
		"--root-ca-file="+c.path("certs/apiserver.crt"),
		"--pvclaimbinder-sync-period=1s",
		"--kube-api-qps=100", "--kube-api-burst=200",
	)
}

// credentials writes the administrator's token, the key of the service
// accounts and the audit policy.
func (c *cluster) credentials() (token string, err error) {
	if err := os.MkdirAll(c.path("certs"), 0o700); err != nil {
		return "", err
	}
	secret := make([]byte, 16)
	if _, err := rand.Read(secret); err != nil {
		return "", err
	}
	token = hex.EncodeToString(secret)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", err
	}
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	for name, content := range map[string]string{
		"tokens.csv": token + `,admin,admin,"system:masters"` + "\n",
		"sa.key":     string(pem.EncodeToMemory(block)),
		"audit.yaml": "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n- level: Metadata\n",
	} {
		if err := os.WriteFile(c.path("certs/"+name), []byte(content), 0o600); err != nil {
			return "", err
		}
	}
	return token, nil
}

// waitReady returns when the API server is ready.
func (c *cluster) waitReady(ctx context.Context, server, token string) error {
	return c.until(ctx, "kube-apiserver was", server+"/readyz", token, func(*http.Response) bool { return true })
}

// until asks the API server until it answers 200 and the answer is good.
func (c *cluster) until(ctx context.Context, what, url, token string, good func(*http.Response) bool) error {
	// The certificate is made by the API server while we wait: it is checked
	// by everybody who uses the kubeconfig, not here.
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // see above
	}}
	defer client.CloseIdleConnections()
	timeout := time.After(2 * time.Minute)
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+token)
		if resp, err := client.Do(req); err == nil {
			ok := resp.StatusCode == http.StatusOK && good(resp)
			resp.Body.Close()
			if ok {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-c.died:
			return err
		case <-timeout:
			return fmt.Errorf("%s not ready after 2 minutes: see the logs in %s", what, c.dir)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (c *cluster) kubeconfig(server, token string) ([]byte, error) {
	ca, err := os.ReadFile(c.path("certs/apiserver.crt"))
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: devcluster
contexts:
- name: devcluster
  context: {cluster: devcluster, user: admin}
clusters:
- name: devcluster
  cluster:
    server: %s
    certificate-authority-data: %s
users:
- name: admin
  user: {token: %s}
`, server, base64.StdEncoding.EncodeToString(ca), token), nil
}
