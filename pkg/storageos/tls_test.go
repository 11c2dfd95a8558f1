package storageos

import (
	"bytes"
	"crypto/tls"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

func selfSigned(t *testing.T) (tls.Certificate, []byte) {
	t.Helper()
	certificate, ca, err := simulator.SelfSigned()
	if err != nil {
		t.Fatal(err)
	}
	return certificate, ca
}

// The certificate and the file of its CA change, one after the other; what is
// wrong in between heals by itself.
func TestTLS(t *testing.T) {
	t.Parallel()
	first, firstCA := selfSigned(t)
	second, secondCA := selfSigned(t)
	sim := simulator.New(simulator.Options{})
	address, err := sim.StartTLS("127.0.0.1:0", first)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	endpoint, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	caFile := filepath.Join(t.TempDir(), "ca.pem")
	secret := t.TempDir()
	writeSecret(t, secret, simulator.DefaultUsername, simulator.DefaultPassword)
	c, err := New(Config{
		Endpoint: endpoint, SecretPath: secret, CAFile: caFile,
		Timeout: 5 * time.Second, RefreshInterval: time.Minute, RetryInterval: time.Nanosecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.wire.close)
	rotate := func(certificate tls.Certificate) func() error {
		return func() error {
			sim.SetCertificate(certificate)
			sim.CloseConnections()
			return nil
		}
	}
	write := func(content []byte) func() error {
		return func() error { return os.WriteFile(caFile, content, 0o600) }
	}
	for _, step := range []struct {
		name string
		do   func() error
		err  string
	}{
		{"no CA file", func() error { return nil }, "reading the CA file: open"},
		{"one without a certificate", write([]byte("nonsense")), "there is no certificate in"},
		{"another CA", write(secondCA), "certificate signed by unknown authority"},
		{"the right one", write(firstCA), ""},
		{"a new certificate", rotate(second), "certificate signed by unknown authority"},
		{"both CAs", write(bytes.Join([][]byte{firstCA, secondCA}, nil)), ""},
		{"the old certificate again", rotate(first), ""},
		// With a connection that is open, and a file that changes behind it.
		{"its CA is withdrawn", write(secondCA), "certificate signed by unknown authority"},
		{"and comes back", write(firstCA), ""},
		{"the file becomes unreadable", write([]byte("nonsense")), "there is no certificate in"},
		{"the file is mended", write(firstCA), ""},
		{"the file goes", func() error { return os.Remove(caFile) }, "reading the CA file: open"},
		{"the file comes back", write(firstCA), ""},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		_, err := c.Cluster(t.Context())
		checkError(t, step.name, err, step.err)
	}
	// While the file does not change, connections are kept.
	before, err := c.wire.transport()
	if err != nil {
		t.Fatal(err)
	}
	if after, err := c.wire.transport(); after != before || err != nil {
		t.Errorf("another transport for the same file, error %v", err)
	}
}
