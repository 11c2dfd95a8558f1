package controller

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
	_, _ = io.Copy(io.Discard, os.Stdin) // until the parent ends
}

// far starts a StorageOS in a process of its own.
func far(b *testing.B, namespaces, volumes int) *url.URL {
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
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	endpoint, err := storageos.ParseEndpoint(strings.TrimSpace(line))
	if err != nil {
		b.Fatal(err)
	}
	return endpoint
}

// processor is the time that this process has taken of the processor.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkPoll is a poll in which nothing has changed, beside the least that it
// could take, which is to read the same bytes and hash them, and beside what it
// takes to decode them.
func BenchmarkPoll(b *testing.B) {
	for _, size := range []struct{ namespaces, volumes int }{{50, 1_000}, {50, 10_000}, {50, 100_000}, {1, 10_000}, {1, 100_000}} {
		b.Run(fmt.Sprintf("namespaces=%d/volumes=%d", size.namespaces, size.volumes), func(b *testing.B) {
			endpoint := far(b, size.namespaces, size.volumes)
			ctx := klog.NewContext(b.Context(), logr.Discard())
			secret := b.TempDir()
			for name, text := range map[string]string{"username": simulator.DefaultUsername, "password": simulator.DefaultPassword} {
				if err := os.WriteFile(filepath.Join(secret, name), []byte(text), 0o600); err != nil {
					b.Fatal(err)
				}
			}
			client, err := storageos.New(storageos.Config{
				Endpoint: endpoint, SecretPath: secret, Timeout: time.Minute, RefreshInterval: time.Minute, RetryInterval: time.Second,
			})
			if err != nil {
				b.Fatal(err)
			}
			v := newView()
			p := &poller{
				api: client, view: v, metrics: metrics.Default, parallel: parallelLists,
				keep: func(string, []byte) {}, found: func(string) {},
				alive: func(time.Time) {}, begun: func(*listing) {}, ended: func(*listing, bool, []string) {},
			}
			if err := p.poll(ctx); err != nil {
				b.Fatal(err)
			}
			if n := len(v.ids()); n != size.volumes {
				b.Fatalf("%d volumes", n)
			}
			urls := make([]string, 0, size.namespaces)
			for _, ns := range v.namespaceIDs() {
				urls = append(urls, endpoint.JoinPath("/v2/namespaces", ns, "volumes").String())
			}
			token := login(b, endpoint)

			measure := func(name string, one func() error) {
				b.Run(name, func(b *testing.B) {
					b.ReportAllocs()
					begun := processor()
					for b.Loop() {
						if err := one(); err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric(float64(processor()-begun)/float64(b.N), "cpu-ns/op")
				})
			}
			buf := make([]byte, 1<<20)
			measure("floor", func() error { return each(ctx, urls, token, func(r io.Reader) error { return hashAll(r, buf) }) })
			measure("poll", func() error { return p.poll(ctx) })
			measure("decode", func() error { return each(ctx, urls, token, decodeAll) })
		})
	}
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
