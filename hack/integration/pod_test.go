package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// pod is the program started as a Pod that was admitted says, as a kubelet
// would: the image's files and the Pod's volumes are its root folder, the
// command, args and environment are the Pod's, it runs as the Pod's user and has
// a network of its own, in which the API server and StorageOS have the addresses
// that they have in a cluster.
type pod struct {
	*controller
	spec      *corev1.Pod
	container corev1.Container
	sandbox   *sandbox
	root      string
}

// apiServerPort is what Pods see of the API server, on loopback.
const apiServerPort = "6443"

// runPod runs an admitted Pod. More args can be given for a test's sake.
func (e *env) runPod(spec *corev1.Pod, more ...string) *pod {
	e.t.Helper()
	if n := len(spec.Spec.Containers); n != 1 {
		e.t.Fatalf("the Pod has %d containers", n)
	}
	root, err := os.MkdirTemp("", "pod") // whatever is above t.TempDir is closed to others
	e.must(err)
	e.t.Cleanup(func() { _ = os.RemoveAll(root) })
	p := &pod{spec: spec, container: spec.Spec.Containers[0], sandbox: newSandbox(e.t), root: root}

	entrypoint := e.image(root)
	e.mounts(p)
	e.must(filepath.Walk(root, func(path string, info os.FileInfo, err error) error {
		if err != nil || !info.IsDir() {
			return err
		}
		return os.Chmod(path, 0o555)
	}))

	p.sandbox.mountProc(root)
	server, err := url.Parse(e.config.Host)
	e.must(err)
	p.sandbox.reaches("127.0.0.1:"+apiServerPort, server.Host)
	p.sandbox.reaches("127.0.0.1:5705", strings.TrimPrefix(e.endpoint, "http://"))

	if c := p.container.Command; len(c) > 0 {
		entrypoint = c
	}
	args := append(append(entrypoint[1:len(entrypoint):len(entrypoint)], p.container.Args...), more...)
	cmd := exec.Command(entrypoint[0], args...)
	cmd.Dir = "/"
	cmd.Env = p.environment(e.t)
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: p.user(e.t)}
	p.controller = &controller{e.startWith(cmd, nil, p.sandbox.start), e.t, "http://" + p.sandbox.exposes("127.0.0.1:"+p.port(intstr.FromString("metrics")))}
	e.t.Cleanup(func() { tellsNoSecret(e.t, "the log", p.log.String()) })
	return p
}

// image puts the files of the image into a root folder, and returns its
// entrypoint.
func (e *env) image(root string) []string {
	e.t.Helper()
	dockerfile, err := os.ReadFile("../../Dockerfile")
	e.must(err)
	found := regexp.MustCompile(`(?m)^ENTRYPOINT (\[.*\])$`).FindSubmatch(dockerfile)
	if found == nil {
		e.t.Fatal("the Dockerfile has no ENTRYPOINT")
	}
	var entrypoint []string
	e.must(json.Unmarshal(found[1], &entrypoint))
	build(e.t, "../../cmd/volume-sync-controller", filepath.Join(root, entrypoint[0]))
	e.must(os.Chmod(filepath.Join(root, entrypoint[0]), 0o555))
	// Not of the image: a kubelet writes it, for the name of the Service.
	e.write(root, "/etc/hosts", []byte("127.0.0.1 localhost storageos\n"))
	return entrypoint
}

// write writes a file that everybody may read into a root folder.
func (e *env) write(root, path string, content []byte) {
	e.t.Helper()
	path = filepath.Join(root, path)
	e.must(os.MkdirAll(filepath.Dir(path), 0o755))
	e.must(os.WriteFile(path, content, 0o444))
}

// mounts writes what the volumes of the Pod hold where they are mounted.
func (e *env) mounts(p *pod) {
	e.t.Helper()
	ctx := context.Background()
	for _, m := range p.container.VolumeMounts {
		for _, v := range p.spec.Spec.Volumes {
			switch {
			case v.Name != m.Name:
			case v.Secret != nil:
				secret, err := e.kube.CoreV1().Secrets(p.spec.Namespace).Get(ctx, v.Secret.SecretName, metav1.GetOptions{})
				e.must(err)
				for key, value := range secret.Data {
					e.write(p.root, filepath.Join(m.MountPath, key), value)
				}
			case v.Projected != nil:
				for _, s := range v.Projected.Sources {
					for path, content := range e.projected(p.spec, s) {
						e.write(p.root, filepath.Join(m.MountPath, path), content)
					}
				}
			default:
				e.t.Fatalf("volume %s is of a kind that this test cannot mount", v.Name)
			}
		}
	}
}

// projected are the files of one source of a projected volume.
func (e *env) projected(spec *corev1.Pod, s corev1.VolumeProjection) map[string][]byte {
	e.t.Helper()
	ctx := context.Background()
	files := map[string][]byte{}
	switch {
	case s.ServiceAccountToken != nil:
		request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
			ExpirationSeconds: s.ServiceAccountToken.ExpirationSeconds,
			BoundObjectRef:    &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: spec.Name, UID: spec.UID},
		}}
		token, err := e.kube.CoreV1().ServiceAccounts(spec.Namespace).CreateToken(ctx, spec.Spec.ServiceAccountName, request, metav1.CreateOptions{})
		e.must(err)
		files[s.ServiceAccountToken.Path] = []byte(token.Status.Token)
	case s.ConfigMap != nil:
		cm, err := e.kube.CoreV1().ConfigMaps(spec.Namespace).Get(ctx, s.ConfigMap.Name, metav1.GetOptions{})
		e.must(err)
		for _, item := range s.ConfigMap.Items {
			files[item.Path] = []byte(cm.Data[item.Key])
		}
	case s.DownwardAPI != nil:
		for _, item := range s.DownwardAPI.Items {
			if item.FieldRef == nil || item.FieldRef.FieldPath != "metadata.namespace" {
				e.t.Fatalf("this test does not know %v", item)
			}
			files[item.Path] = []byte(spec.Namespace)
		}
	default:
		e.t.Fatalf("this test does not know %v", s)
	}
	return files
}

// environment is that of the container, and what a kubelet adds to it.
func (p *pod) environment(t *testing.T) []string {
	t.Helper()
	values := map[string]string{}
	env := []string{"KUBERNETES_SERVICE_HOST=127.0.0.1", "KUBERNETES_SERVICE_PORT=" + apiServerPort}
	for _, v := range p.container.Env {
		value := os.Expand(strings.NewReplacer("$(", "${", ")", "}").Replace(v.Value), func(name string) string { return values[name] })
		if v.ValueFrom != nil {
			ref := v.ValueFrom.ResourceFieldRef
			if ref == nil || ref.Resource != "limits.memory" {
				t.Fatalf("this test does not know %v", v.ValueFrom)
			}
			limit, divisor := p.container.Resources.Limits.Memory().Value(), ref.Divisor.Value()
			value = strconv.FormatInt((limit+divisor-1)/divisor, 10)
		}
		values[v.Name] = value
		env = append(env, v.Name+"="+value)
	}
	return env
}

// user is whom the Pod runs as: no root.
func (p *pod) user(t *testing.T) *syscall.Credential {
	t.Helper()
	s := p.spec.Spec.SecurityContext
	if s == nil || s.RunAsUser == nil || s.RunAsGroup == nil || *s.RunAsUser == 0 {
		t.Fatalf("the Pod does not say as whom it runs: %v", s)
	}
	return &syscall.Credential{Uid: uint32(*s.RunAsUser), Gid: uint32(*s.RunAsGroup)}
}

// port is a port of the container, by number or name.
func (p *pod) port(of intstr.IntOrString) string {
	for _, port := range p.container.Ports {
		if port.Name == of.StrVal || port.ContainerPort == of.IntVal {
			return fmt.Sprint(port.ContainerPort)
		}
	}
	return "0"
}

// probe asks as a kubelet does, and is nil if the answer is good.
func (p *pod) probe(probe *corev1.Probe) error {
	if probe == nil || probe.HTTPGet == nil {
		return fmt.Errorf("there is no probe by HTTP")
	}
	resp, err := p.sandbox.client().Get("http://" + net.JoinHostPort("127.0.0.1", p.port(probe.HTTPGet.Port)) + probe.HTTPGet.Path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 400 {
		return fmt.Errorf("%s: %s", probe.HTTPGet.Path, resp.Status)
	}
	return nil
}
