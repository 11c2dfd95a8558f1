package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// memoryLimit is what deploy/ gives Go of the container's 256 MiB.
const memoryLimit = "256000000"

// What the container of the replaced program is limited to, which is what the memory is
// compared with.
const (
	replacedBytes = 190 << 20
	replacedLimit = "190 MiB, the limit of the replaced program"
)

// controller is a running controller.
type controller struct {
	*process
	b   *bench
	url string
}

// controller starts one that polls every so often, with more flags.
func (b *bench) controller(interval time.Duration, flags ...string) (*controller, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	l.Close()
	cmd := exec.Command(filepath.Join(b.bin, "volume-sync-controller"), append([]string{"-kubeconfig", b.kubeconfig,
		"-api-endpoint", b.endpoint, "-api-secret-path", b.secret, "-metrics-addr", addr, "-profiling",
		"-api-poll-interval", interval.String()}, flags...)...)
	cmd.Env = append(os.Environ(), "GOMEMLIMIT="+memoryLimit)
	p, err := start(filepath.Join(b.dir, "controller.log"), cmd)
	if err != nil {
		return nil, err
	}
	return &controller{p, b, "http://" + addr}, nil
}

// metric reads the sum of the series of a metric; of a histogram, the count.
func (c *controller) metric(name string) (float64, error) {
	resp, err := http.Get(c.url + "/metrics")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return total(resp.Body, name, nil)
}

// longestListing is how long the longest listing took, until it was worked off, of those
// that ended while something was done.
func (c *controller) longestListing(ctx context.Context, do func(context.Context) error) (time.Duration, error) {
	last, err := c.listings()
	if err != nil {
		return 0, err
	}
	done := make(chan error, 1)
	go func() { done <- do(ctx) }()
	longest := time.Duration(0)
	// Often enough for two listings not to end in between, and seldom enough not to be felt.
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case err := <-done:
			return longest, err
		case <-ticker.C:
		}
		now, err := c.listings()
		if err != nil {
			return 0, errors.Join(err, <-done)
		}
		longest, last = max(longest, now-last), now
	}
}

// listings is the time that all listings took, until they were worked off.
func (c *controller) listings() (time.Duration, error) {
	resp, err := http.Get(c.url + "/metrics")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	seconds := 0.0
	err = each(resp.Body, "storageos_sync_volume_duration_seconds", func(m *dto.Metric) {
		seconds += m.GetHistogram().GetSampleSum()
	})
	return time.Duration(seconds * float64(time.Second)), err
}

func total(r io.Reader, name string, labels map[string]string) (float64, error) {
	sum := 0.0
	err := each(r, name, func(m *dto.Metric) {
		if hasLabels(m, labels) {
			sum += m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	})
	return sum, err
}

// each looks at the series of a metric.
func each(r io.Reader, name string, look func(*dto.Metric)) error {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(r)
	if err != nil {
		return err
	}
	for _, m := range families[name].GetMetric() {
		look(m)
	}
	return nil
}

func hasLabels(m *dto.Metric, want map[string]string) bool {
	n := 0
	for _, l := range m.GetLabel() {
		if value, ok := want[l.GetName()]; ok && value == l.GetValue() {
			n++
		}
	}
	return n == len(want)
}

// hangs is after how long a listing is taken to be worked off no more. The first of 100,000
// volumes makes as many records.
const hangs = 30 * time.Minute

// polls waits for some more listings that are worked off.
func (c *controller) polls(ctx context.Context, n int) error {
	const name = "storageos_sync_volume_duration_seconds"
	first := -1.0
	return c.until(ctx, fmt.Sprintf("%d listings are worked off", n), hangs, 200*time.Millisecond, func() (bool, error) {
		now, err := c.metric(name)
		if err == nil && first < 0 {
			first = now
		}
		return now >= first+float64(n), err
	})
}

// atRest waits until there is nothing left to do.
func (c *controller) atRest(ctx context.Context) error {
	before := -1.0
	for {
		now, err := c.metric("workqueue_adds_total")
		if err != nil && before >= 0 {
			return err
		}
		synced, _ := c.metric("storageos_sync_volume_last_success_timestamp_seconds")
		if err == nil && synced > 0 && now == before {
			return nil
		}
		if err == nil {
			before = now
		} else if err := c.until(ctx, "it answers", time.Minute, 50*time.Millisecond, func() (bool, error) {
			_, err := c.metric("go_goroutines")
			return true, err
		}); err != nil {
			return err
		}
		if err := c.polls(ctx, 2); err != nil {
			return err
		}
	}
}

// heap is what the heap holds after a collection: the second, because the first only
// marks the buffers of the last poll as not needed.
func (c *controller) heap() (int64, error) {
	if _, err := c.collected(); err != nil {
		return 0, err
	}
	return c.collected()
}

func (c *controller) collected() (int64, error) {
	resp, err := http.Get(c.url + "/debug/pprof/heap?gc=1&debug=1")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), "# HeapAlloc = "); ok {
			return strconv.ParseInt(text, 10, 64)
		}
	}
	return 0, errors.Join(errors.New("the profile tells no HeapAlloc"), lines.Err())
}

// perPoll is the processor time of a poll, over so many.
func (c *controller) perPoll(ctx context.Context, polls int, interval time.Duration) (time.Duration, error) {
	const name = "storageos_sync_volume_duration_seconds"
	n, err := c.metric(name)
	if err != nil {
		return 0, err
	}
	before, err := c.processor()
	if err != nil {
		return 0, err
	}
	// Nobody asks it for anything meanwhile: that would be measured too.
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(time.Duration(polls) * interval):
	}
	after, err := c.processor()
	if err != nil {
		return 0, err
	}
	m, err := c.metric(name)
	if err != nil {
		return 0, err
	}
	if m == n {
		return 0, errors.New("no listing was worked off")
	}
	return time.Duration(float64(after-before) / (m - n)), nil
}
