// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package simulator

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestCloseAndStartAgain(t *testing.T) {
	t.Parallel()
	sim, c := startLoggedIn(t, Options{})
	sim.AddFault(Fault{Match: Match{Call: CallNodes}, Effect: Stall()})
	stalled := make(chan error)
	go func() { stalled <- c.see(t.Context(), "GET", "/v2/nodes", "").err }()
	waitFor(t, sim, func(s Stats) bool { return s.Answers[CallNodes][200] == 1 })

	sim.Close()
	if err := <-stalled; err == nil {
		t.Error("a stalled answer ended well")
	}
	if got := sim.Stats().InFlight; got != 0 {
		t.Errorf("%d requests after Close", got)
	}
	if got := c.see(t.Context(), "GET", "/v2/cluster", ""); got.err == nil {
		t.Error("answers after Close")
	}
	if _, err := sim.Start(strings.TrimPrefix(c.url, "http://")); err != nil {
		t.Fatal(err)
	}
	if status, _ := c.get("/v2/cluster"); status != 200 {
		t.Errorf("the token of before gets %d after a restart", status)
	}
	if _, err := sim.Start(strings.TrimPrefix(c.url, "http://")); err == nil {
		t.Error("two listeners on one address")
	}
	sim.Close()
	sim.Close()
}

func TestTLS(t *testing.T) {
	t.Parallel()
	sim := New(Options{})
	defer sim.Close()
	one, onePool := certificate(t)
	two, twoPool := certificate(t)
	url, err := sim.StartTLS("127.0.0.1:0", one)
	if err != nil {
		t.Fatal(err)
	}
	client := func(pool *x509.CertPool) *http.Client {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
		t.Cleanup(transport.CloseIdleConnections)
		return &http.Client{Transport: transport}
	}
	status := func(c *http.Client) int {
		r, err := http.NewRequestWithContext(context.Background(), "POST", url+"/v2/auth/login", strings.NewReader(goodLogin))
		if err != nil {
			t.Fatal(err)
		}
		response, err := c.Do(r)
		if err != nil {
			return 0
		}
		defer response.Body.Close()
		_, _ = response.Body.Read(make([]byte, 4096)) // so that the connection is kept
		return response.StatusCode
	}
	trustsOne, trustsTwo := client(onePool), client(twoPool)
	if a, b := status(trustsOne), status(trustsTwo); a != 200 || b != 0 {
		t.Errorf("first certificate: %d, %d", a, b)
	}
	sim.SetCertificate(two)
	sim.CloseConnections()
	trustsOne.CloseIdleConnections()
	if a, b := status(trustsOne), status(trustsTwo); a != 0 || b != 200 {
		t.Errorf("second certificate: %d, %d", a, b)
	}
}

// certificate makes a certificate for 127.0.0.1 and a pool that trusts it alone.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}
