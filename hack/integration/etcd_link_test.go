package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// link is the way from kube-apiserver to etcd, through a toxiproxy.
type link struct {
	t    *testing.T
	api  string // of toxiproxy
	etcd string // where etcd is to serve
	via  string // where kube-apiserver is to look for it
}

// newLink starts a toxiproxy.
func newLink(t *testing.T) *link {
	t.Helper()
	if binary == "" {
		t.Skip("it needs a Kubernetes control plane: run it by `make test-integration`")
	}
	tool := exec.Command("go", "tool", "-modfile=../tools/go.mod", "-n", "github.com/Shopify/toxiproxy/v2/cmd/server")
	tool.Env = append(os.Environ(), "CGO_ENABLED=0")
	path, err := tool.Output()
	if err != nil {
		t.Fatalf("building toxiproxy: %v", err)
	}
	l := &link{t: t, api: freeAddress(t), etcd: freeAddress(t), via: freeAddress(t)}
	host, port, err := net.SplitHostPort(l.api)
	if err != nil {
		t.Fatal(err)
	}
	e := &env{t: t}
	e.start(exec.Command(strings.TrimSpace(string(path)), "-host", host, "-port", port), nil)
	eventually(t, "toxiproxy is there", 20*time.Second, func() error {
		return l.try(http.MethodPost, "/proxies", map[string]any{"name": "etcd", "listen": l.via, "upstream": l.etcd})
	})
	return l
}

// try sends a command to toxiproxy.
func (l *link) try(method, path string, command any) error {
	body, err := json.Marshal(command)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+l.api+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10)) // what there is of it
		return fmt.Errorf("toxiproxy: %s: %s", resp.Status, text)
	}
	return nil
}

func (l *link) must(method, path string, command any) {
	l.t.Helper()
	if err := l.try(method, path, command); err != nil {
		l.t.Fatal(err)
	}
}

// cut ends the link; every connection is closed.
func (l *link) cut() {
	l.t.Helper()
	l.must(http.MethodPost, "/proxies/etcd", map[string]any{"enabled": false})
}

// poison lets a toxic work on what etcd sends.
func (l *link) poison(toxic string, attributes map[string]any) {
	l.t.Helper()
	l.must(http.MethodPost, "/proxies/etcd/toxics", map[string]any{
		"name": toxic, "type": toxic, "stream": "downstream", "attributes": attributes,
	})
}

// heal ends whatever is wrong with the link.
func (l *link) heal() {
	l.t.Helper()
	l.must(http.MethodPost, "/reset", nil)
}
