package storageos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	api "github.com/storageos/go-api/v2"
	"k8s.io/klog/v2"
)

// basePath is where the API is on its server.
const basePath = "/v2"

// Config is what a Client works with.
type Config struct {
	Endpoint        *url.URL      // see ParseEndpoint
	SecretPath      string        // folder with the files username and password
	CAFile          string        // PEM file of the CAs of an https endpoint; "": the system's
	Timeout         time.Duration // how long a request may stay silent; CallTimeouts of it bound a call
	RefreshInterval time.Duration // how often the token is renewed
	RetryInterval   time.Duration // pause after a login that failed
	UserAgent       string
	// Proxy finds the proxy for a request to the endpoint; nil: http.ProxyFromEnvironment.
	// It is asked once.
	Proxy func(*http.Request) (*url.URL, error)

	// Requests measures each request on the wire.
	Requests RequestMetrics
	// OnLoginError is called with each login that failed.
	OnLoginError func(error)
}

// CallTimeouts is how many timeouts a call may take, from its begin until its answer is
// whole, however that arrives: also one that sends a byte now and then must end.
const CallTimeouts = 10

// RequestMetrics measures requests. What is nil is not measured.
type RequestMetrics struct {
	Duration prometheus.ObserverVec // by method
	Total    *prometheus.CounterVec // by method and code
	InFlight prometheus.Gauge
}

// Entry is a volume in a listing, as it was sent.
type Entry struct {
	Raw []byte // what should be its JSON; valid only until the callback returns
	// Err is why the volume cannot be recorded although it is listed: its JSON is too
	// large to be held. Then Raw has no more than its ID and its name.
	Err  error
	n    int    // its place in the list
	hash uint64 // of what was sent, 0 if it was not needed yet
}

// Hash tells what was sent from what that was in other listings of this process. It is
// never 0.
func (e Entry) Hash() uint64 {
	if e.hash == 0 {
		return hash(e.Raw)
	}
	return e.hash
}

// ID reads the ID of the volume. An entry that has none makes a listing
// incomplete: it is not known which volume it shows.
func (e Entry) ID() (string, error) { return entryID(e.n, e.Raw) }

// Lister reads what StorageOS knows.
type Lister interface {
	// Cluster returns the ID of the cluster that answers.
	Cluster(ctx context.Context) (string, error)
	// Nodes returns the names of the nodes by ID.
	Nodes(ctx context.Context) (map[string]string, error)
	// Namespaces returns all namespaces, each once, however often it is listed.
	Namespaces(ctx context.Context) ([]Namespace, error)
	// ListVolumes hands the volumes of a namespace over one by one. Without an
	// error the listing was whole; with one, what was handed over is there all
	// the same. A list that is byte for byte the known one is not handed over.
	ListVolumes(ctx context.Context, namespaceID string, known Fingerprint, each func(Entry) error) (Fingerprint, error)
	// Volume returns one volume, and its JSON.
	Volume(ctx context.Context, namespaceID, id string) ([]byte, *Volume, error)
}

// Client is a Lister on the API.
type Client struct {
	cfg  Config
	wire *wire
	http *http.Client
	api  *api.DefaultApiService
	auth *auth

	proxy string // "" if there is none; what each error says of it

	listing listing
}

var _ Lister = &Client{}

// New makes a client. It asks nothing yet and starts nothing. An http endpoint behind a
// proxy is refused: the proxy would read the password.
func New(cfg Config) (*Client, error) {
	switch {
	case cfg.Endpoint == nil:
		return nil, errors.New("a StorageOS client needs an endpoint")
	case cfg.Timeout <= 0 || cfg.RefreshInterval <= 0 || cfg.RetryInterval <= 0:
		return nil, errors.New("a StorageOS client needs a timeout, a refresh interval and a retry interval")
	}
	find := cfg.Proxy
	if find == nil {
		find = http.ProxyFromEnvironment
	}
	proxy, err := proxyOf(cfg.Endpoint, find)
	if err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg, auth: newAuth()}
	if proxy != nil {
		c.proxy = proxyName(proxy)
	}
	c.wire = &wire{caFile: cfg.CAFile, timeout: cfg.Timeout, proxy: proxy}
	c.http = &http.Client{
		Transport: instrument(cfg.Requests, &silence{next: c.wire, after: cfg.Timeout}),
		// A redirect could carry the token to another host.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	generated := api.NewConfiguration()
	generated.Scheme, generated.Host = cfg.Endpoint.Scheme, cfg.Endpoint.Host
	generated.UserAgent = cfg.UserAgent
	generated.HTTPClient = &http.Client{
		Transport:     bounded{c.http.Transport},
		CheckRedirect: c.http.CheckRedirect,
	}
	c.api = api.NewAPIClient(generated).DefaultApi
	return c, nil
}

func instrument(m RequestMetrics, next http.RoundTripper) http.RoundTripper {
	if m.Duration != nil {
		next = promhttp.InstrumentRoundTripperDuration(m.Duration, next)
	}
	if m.Total != nil {
		next = promhttp.InstrumentRoundTripperCounter(m.Total, next)
	}
	if m.InFlight != nil {
		next = promhttp.InstrumentRoundTripperInFlight(m.InFlight, next)
	}
	return next
}

// bounded cuts bodies for the generated client, which reads them whole.
type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(req)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxObject), resp.Body}
	}
	return resp, err
}

// Proxy names the proxy that requests go through, without its user and password; "" if
// there is none.
func (c *Client) Proxy() string { return c.proxy }

// WaitForLogin returns when a login has succeeded once.
func (c *Client) WaitForLogin(ctx context.Context) error {
	select {
	case <-c.auth.once:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Cluster implements Lister.
func (c *Client) Cluster(ctx context.Context) (string, error) {
	call := c.named("GET /cluster")
	var cluster struct {
		ID string `json:"id"`
	}
	if err := c.object(ctx, call, &cluster, "cluster"); err != nil {
		return "", err
	}
	if cluster.ID == "" {
		return "", &callError{call, errors.New("the cluster has no ID")}
	}
	if len(cluster.ID) > maxName {
		return "", &callError{call, fmt.Errorf("the cluster has an ID of more than %d bytes", maxName)}
	}
	return cluster.ID, nil
}

// Nodes implements Lister.
func (c *Client) Nodes(ctx context.Context) (map[string]string, error) {
	nodes := map[string]string{}
	err := c.list(ctx, c.named("GET /nodes"), maxNodes, func(n int, raw []byte) error {
		id, err := entryID(n, raw)
		if err != nil {
			return err
		}
		nodes[id], err = entryName(n, raw)
		return err
	}, "nodes")
	if err != nil {
		return nil, err
	}
	return nodes, nil
}

// Namespaces implements Lister.
func (c *Client) Namespaces(ctx context.Context) ([]Namespace, error) {
	var namespaces []Namespace
	seen := map[string]bool{}
	err := c.list(ctx, c.named("GET /namespaces"), maxNamespaces, func(n int, raw []byte) error {
		id, err := entryID(n, raw)
		if err != nil {
			return err
		}
		if seen[id] {
			return nil // two lists of one would be taken for two places of its volumes
		}
		seen[id] = true
		name, err := entryName(n, raw)
		namespaces = append(namespaces, Namespace{Id: id, Name: name})
		return err
	}, "namespaces")
	if err != nil {
		return nil, err
	}
	return namespaces, nil
}

// ListVolumes implements Lister.
func (c *Client) ListVolumes(ctx context.Context, namespaceID string, known Fingerprint, each func(Entry) error) (Fingerprint, error) {
	call := c.named(fmt.Sprintf("GET /namespaces/%s/volumes", printable(namespaceID)))
	resp, err := c.get(ctx, call, "namespaces", namespaceID, "volumes")
	if err != nil {
		return Fingerprint{}, err
	}
	defer resp.Body.Close()
	is, err := c.listing.read(resp.Body, known, each)
	if err != nil {
		return Fingerprint{}, &callError{call, err}
	}
	return is, nil
}

// Volume implements Lister.
func (c *Client) Volume(ctx context.Context, namespaceID, id string) ([]byte, *Volume, error) {
	call := c.named(fmt.Sprintf("GET /namespaces/%s/volumes/%s", printable(namespaceID), printable(id)))
	var raw json.RawMessage
	if err := c.object(ctx, call, &raw, "namespaces", namespaceID, "volumes", id); err != nil {
		return nil, nil, err
	}
	v, err := DecodeVolume(raw)
	if err != nil {
		return nil, nil, &callError{call, err}
	}
	if v.Id != id {
		return nil, nil, &callError{call, fmt.Errorf("the answer is another volume: %s", printable(v.Id))}
	}
	return raw, v, nil
}

// list reads a list.
func (c *Client) list(ctx context.Context, call string, most int, each func(n int, raw []byte) error, path ...string) error {
	resp, err := c.get(ctx, call, path...)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := readList(resp.Body, most, each); err != nil {
		return &callError{call, err}
	}
	return nil
}

// object reads a body that is no list.
func (c *Client) object(ctx context.Context, call string, into any, path ...string) error {
	resp, err := c.get(ctx, call, path...)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxObject+1))
	switch {
	case err != nil:
		return &callError{call, err}
	case len(body) > maxObject:
		return &callError{call, fmt.Errorf("the body has more than %d bytes", maxObject)}
	}
	if err := json.Unmarshal(body, into); err != nil {
		if typed, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			err = badType(typed)
		}
		return &callError{call, err}
	}
	return nil
}

// limit bounds how long a call takes.
func (c *Client) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	after := CallTimeouts * min(c.cfg.Timeout, math.MaxInt64/CallTimeouts)
	return context.WithTimeoutCause(ctx, after, &lateError{after})
}

// get asks within the limit of a call, which holds until the answer is closed.
// Without an error the answer is a 200 with JSON, and the caller closes it.
func (c *Client) get(ctx context.Context, call string, path ...string) (*http.Response, error) {
	ctx, cancel := c.limit(ctx)
	resp, err := c.getWithToken(ctx, call, path)
	if err != nil {
		cancel()
		return nil, err
	}
	resp.Body = &limitedBody{resp.Body, c, cancel}
	return resp, nil
}

// limitedBody ends the limit of its call.
type limitedBody struct {
	io.ReadCloser
	client *Client
	cancel context.CancelFunc
}

func (b *limitedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // Read returns io.EOF itself
		err = b.client.told(err) // net/http quotes a trailer that is none
	}
	return n, err
}

func (b *limitedBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// getWithToken asks with a token. If it is not taken, it asks once more with a new
// one.
func (c *Client) getWithToken(ctx context.Context, call string, path []string) (*http.Response, error) {
	klog.FromContext(ctx).V(6).Info("Asking StorageOS", "call", call)
	s, err := c.token(ctx, 0)
	if err != nil {
		return nil, &callError{call, &loginError{"not logged in", err}}
	}
	resp, err := c.getOnce(ctx, call, s, path)
	if IsUnauthorized(err) {
		if s, err = c.token(ctx, s.number); err != nil {
			return nil, &callError{call, &loginError{"the token was not taken", err}}
		}
		resp, err = c.getOnce(ctx, call, s, path)
	}
	return resp, err
}

func (c *Client) getOnce(ctx context.Context, call string, s session, path []string) (*http.Response, error) {
	target := c.cfg.Endpoint.JoinPath(basePath)
	for _, p := range path {
		if p == "" || p == "." || p == ".." {
			return nil, &callError{call, fmt.Errorf("%q cannot be an ID", p)}
		}
		target = target.JoinPath(url.PathEscape(p))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return nil, &callError{call, err}
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	req.Header.Set("Accept", "application/json")
	if c.cfg.UserAgent != "" {
		req.Header.Set("User-Agent", c.cfg.UserAgent)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, &callError{call, c.told(unwrapURL(err), s.token)}
	}
	if resp.StatusCode != http.StatusOK {
		return nil, newAPIError(call, resp, append(c.auth.secrets(), s.token)...)
	}
	if !isJSON(resp) { // a proxy's page: nobody has looked at the token
		resp.Body.Close()
		kind := without(resp.Header.Get("Content-Type"), append(c.auth.secrets(), s.token)...)
		return nil, &callError{call, fmt.Errorf("the answer is not JSON but %q", printable(kind))}
	}
	c.auth.take(s)
	return resp, nil
}
