package source

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	api "github.com/storageos/go-api/v2"
	"k8s.io/klog/v2"

	"github.com/storageos/volume-sync-controller/hack/simulator"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// serveVariable has this test's binary serve a simulated StorageOS instead, with
// as many namespaces and volumes as it says: what a server takes of the processor
// must not be counted.
const serveVariable = "BENCH_SERVE"

func TestMain(m *testing.M) {
	if what := os.Getenv(serveVariable); what != "" {
		serve(what)
		return
	}
	os.Exit(m.Run())
}

func serve(what string) {
	var o simulator.FillOptions
	if _, err := fmt.Sscan(what, &o.Namespaces, &o.Volumes); err != nil {
		panic(err)
	}
	o.Nodes, o.CSI = 5, -1
	sim := simulator.New(simulator.Options{})
	sim.Fill(o)
	endpoint, err := sim.Start("127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(endpoint)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); { // until the parent ends
		switch order := lines.Text(); order {
		case orderChange:
			sim.Change(1)
		case orderShuffle:
			sim.SetShuffle(true)
		default:
			panic(order)
		}
		fmt.Println("done")
	}
}

// What a StorageOS in a process of its own can be told to do.
const (
	orderChange  = "change"  // one volume
	orderShuffle = "shuffle" // all lists, each time that they are asked for
)

// far starts a StorageOS in a process of its own, which does what it is told.
func far(b *testing.B, namespaces, volumes int) (endpoint *url.URL, tell func(order string) error) {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %d", serveVariable, namespaces, volumes))
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	answers := bufio.NewReader(stdout)
	line, err := answers.ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	if endpoint, err = storageos.ParseEndpoint(strings.TrimSpace(line)); err != nil {
		b.Fatal(err)
	}
	return endpoint, func(order string) error {
		if _, err := fmt.Fprintln(stdin, order); err != nil {
			return err
		}
		_, err := answers.ReadString('\n')
		return err
	}
}

// counting counts what polls look into.
type counting struct {
	storageos.Lister
	volumes, decoded, queued atomic.Int64
}

func (c *counting) ListVolumes(ctx context.Context, ns string, known storageos.Fingerprint, each func(storageos.Entry) error) (storageos.Fingerprint, error) {
	n := int64(0)
	defer func() { c.volumes.Add(n) }()
	return c.Lister.ListVolumes(ctx, ns, known, func(e storageos.Entry) error {
		n++
		return each(e)
	})
}

// take tells what was counted, and begins anew.
func (c *counting) take() map[string]float64 {
	return map[string]float64{
		"volumes/op": float64(c.volumes.Swap(0)), // of lists that were split
		"decoded/op": float64(c.decoded.Swap(0)),
		"queued/op":  float64(c.queued.Swap(0)),
	}
}

// processor is the time that this process has taken of the processor.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkPoll is a poll in which nothing has changed, one in which one volume has, and one
// in which all lists have another order, beside the least that they could take, which is
// to read the same bytes and hash them, and beside what it takes to decode them.
func BenchmarkPoll(b *testing.B) {
	for _, size := range []struct{ namespaces, volumes int }{{50, 1_000}, {50, 10_000}, {50, 100_000}, {1, 10_000}, {1, 100_000}} {
		b.Run(fmt.Sprintf("namespaces=%d/volumes=%d", size.namespaces, size.volumes), func(b *testing.B) {
			endpoint, tell := far(b, size.namespaces, size.volumes)
			ctx := klog.NewContext(b.Context(), logr.Discard())
			client := storageOSClient(b, endpoint)
			v, c := newView(), &counting{Lister: client}
			p := &Poller{
				API: c, View: v, Metrics: metrics.Default, Parallel: ParallelLists,
				Keep: func(string, Payload) { c.decoded.Add(1) }, Found: func(string) { c.queued.Add(1) },
				Alive: func(time.Time) {}, Begun: func(*Listing) {},
				Ended: func(_ *Listing, _ bool, changed []string) { c.queued.Add(int64(len(changed))) },
			}
			if err := p.Poll(ctx); err != nil {
				b.Fatal(err)
			}
			if n := len(v.IDs()); n != size.volumes {
				b.Fatalf("%d volumes", n)
			}
			urls := make([]string, 0, size.namespaces)
			for _, ns := range v.NamespaceIDs() {
				urls = append(urls, endpoint.JoinPath("/v2/namespaces", ns, "volumes").String())
			}
			token := login(b, endpoint)

			measure := func(name string, one func() error) {
				b.Run(name, func(b *testing.B) {
					b.ReportAllocs()
					c.take()
					begun := processor()
					for b.Loop() {
						if err := one(); err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric(float64(processor()-begun)/float64(b.N), "cpu-ns/op")
					for unit, n := range c.take() {
						b.ReportMetric(n/float64(b.N), unit)
					}
				})
			}
			buf := make([]byte, 1<<20)
			measure("floor", func() error { return each(ctx, urls, token, func(r io.Reader) error { return hashAll(r, buf) }) })
			measure("poll", func() error { return p.Poll(ctx) })
			measure("decode", func() error { return each(ctx, urls, token, decodeAll) })
			measure("changed", func() error { return errors.Join(tell(orderChange), p.Poll(ctx)) })
			if err := tell(orderShuffle); err != nil {
				b.Fatal(err)
			}
			measure("reordered", func() error { return p.Poll(ctx) })
		})
	}
}

// storageOSClient is a client of a simulated StorageOS.
func storageOSClient(t testing.TB, endpoint *url.URL) *storageos.Client {
	t.Helper()
	secret := t.TempDir()
	for name, text := range map[string]string{"username": simulator.DefaultUsername, "password": simulator.DefaultPassword} {
		if err := os.WriteFile(filepath.Join(secret, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := storageos.New(storageos.Config{
		Endpoint: endpoint, SecretPath: secret, Timeout: time.Minute, RefreshInterval: time.Minute, RetryInterval: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func login(b *testing.B, endpoint *url.URL) string {
	b.Helper()
	resp, err := http.Post(endpoint.JoinPath("/v2/auth/login").String(), "application/json",
		strings.NewReader(`{"username":"`+simulator.DefaultUsername+`","password":"`+simulator.DefaultPassword+`"}`))
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.Header.Get("Authorization")
}

// each asks for lists one after the other.
func each(ctx context.Context, urls []string, token string, do func(io.Reader) error) error {
	for _, u := range urls {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		err = do(resp.Body)
		resp.Body.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// hashAll reads and hashes a body.
func hashAll(r io.Reader, buf []byte) error {
	var h maphash.Hash
	_, err := io.CopyBuffer(&h, struct{ io.Reader }{r}, buf)
	return err
}

// decodeAll does what the generated client does with a body.
func decodeAll(r io.Reader) error {
	body, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	var volumes []api.Volume
	return json.Unmarshal(body, &volumes)
}
