package storageos

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"
)

// wire is the transport to the API. When the CA file changes it begins anew
// with the new one.
type wire struct {
	caFile  string
	timeout time.Duration
	proxy   *url.URL // nil: none

	mu      sync.Mutex
	current *http.Transport
	loaded  stamp
}

func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	t, err := w.transport()
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, err
	}
	return t.RoundTrip(req)
}

func (w *wire) transport() (*http.Transport, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var now stamp
	if w.caFile != "" {
		now = stampOf(w.caFile)
	}
	if w.current != nil && now == w.loaded {
		return w.current, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if w.caFile != "" {
		pem, err := os.ReadFile(w.caFile)
		if err != nil {
			return nil, fmt.Errorf("reading the CA file: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("reading the CA file: there is no certificate in %s", w.caFile)
		}
	}
	if w.current != nil {
		w.current.CloseIdleConnections()
	}
	w.current = &http.Transport{
		Proxy:                  http.ProxyURL(w.proxy),
		DialContext:            (&net.Dialer{Timeout: w.timeout, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:        config,
		TLSHandshakeTimeout:    w.timeout,
		MaxIdleConnsPerHost:    8,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
	w.loaded = now
	return w.current, nil
}

func (w *wire) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.current != nil {
		w.current.CloseIdleConnections()
	}
}
