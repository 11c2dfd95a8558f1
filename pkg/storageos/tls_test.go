package storageos

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// selfSigned makes a certificate for loopback that is its own CA.
func selfSigned(t *testing.T) (tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "storageos"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
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
