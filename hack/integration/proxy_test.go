package integration

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// proxy stands before the API server and lets requests of the controller fail.
type proxy struct {
	server     *httptest.Server
	pass       http.Handler // lets a request pass
	kubeconfig string       // leads here

	mu     sync.Mutex
	fault  func(http.ResponseWriter, *http.Request) bool // true: it has answered
	quiet  chan struct{}                                 // watches tell nothing until it is closed
	writes int                                           // of records
}

// newProxy starts one. Requests pass with the rights of an administrator.
func (e *env) newProxy() *proxy {
	e.t.Helper()
	target, err := url.Parse(e.config.Host)
	e.must(err)
	transport, err := rest.TransportFor(e.config)
	e.must(err)
	p := &proxy{}
	p.pass = &httputil.ReverseProxy{
		Transport:     transport,
		FlushInterval: -1,
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ErrorLog:      log.New(io.Discard, "", 0), // what is cut is cut on purpose
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		fault := p.fault
		if isWrite(r) {
			p.writes++
		}
		p.mu.Unlock()
		if r.URL.Query().Get("watch") != "" {
			w = &watch{w, r, p}
		}
		if fault == nil || !fault(w, r) {
			p.pass.ServeHTTP(w, r)
		}
	}))
	e.t.Cleanup(func() {
		p.cut()
		p.server.Close()
	})
	p.kubeconfig = filepath.Join(e.t.TempDir(), "kubeconfig")
	config := clientcmdapi.NewConfig()
	config.Clusters["proxy"] = &clientcmdapi.Cluster{Server: p.server.URL}
	config.Contexts["proxy"] = &clientcmdapi.Context{Cluster: "proxy", Namespace: "default"}
	config.CurrentContext = "proxy"
	e.must(clientcmd.WriteToFile(*config, p.kubeconfig))
	return p
}

// set lets requests meet a fault from now on; nil ends it.
func (p *proxy) set(fault func(http.ResponseWriter, *http.Request) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = fault
}

// hush lets open watches stay open and tell nothing; speak ends it, and what
// they held back comes.
func (p *proxy) hush() (speak func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.quiet = make(chan struct{})
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		close(p.quiet)
		p.quiet = nil
	}
}

// watch is the answer to a watch.
type watch struct {
	http.ResponseWriter
	r *http.Request
	p *proxy
}

func (w *watch) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *watch) Write(b []byte) (int, error) {
	w.p.mu.Lock()
	quiet := w.p.quiet
	w.p.mu.Unlock()
	if quiet != nil {
		select {
		case <-quiet:
		case <-w.r.Context().Done():
			return 0, w.r.Context().Err()
		}
	}
	return w.ResponseWriter.Write(b)
}

// written is how many writes of records have come.
func (p *proxy) written() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.writes
}

// isWrite tells whether a request writes records.
func isWrite(r *http.Request) bool {
	return r.Method != http.MethodGet && strings.Contains(r.URL.Path, "/api.storageos.com/v1/volumes")
}

// cut ends every connection, watches included.
func (p *proxy) cut() { p.server.CloseClientConnections() }

// down is an API server that is not there.
func down(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }

// mute takes requests and never answers. While the body of one is not read, the server does
// not notice that the client has gone.
func mute(_ http.ResponseWriter, r *http.Request) bool {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
	return true
}

// refuse answers writes of records with a status of the API server.
func refuse(code int, reason string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !isWrite(r) {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		if code == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "1")
		}
		w.WriteHeader(code)
		_, _ = w.Write([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"` + reason + `","message":"` + reason + `"}`))
		return true
	}
}
