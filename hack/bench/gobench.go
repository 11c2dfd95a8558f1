package main

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// goPolls is over how many polls the Go benchmarks measure.
const goPolls = 40

// goBenchmark has the Go benchmark of a poll measure what cannot be seen from outside of
// a process: allocations, and what a poll looks into; and a list that is too long to be
// held, as no namespace of the bench has one.
func (b *bench) goBenchmark(ctx context.Context, n int) error {
	for _, lists := range []struct {
		namespaces int
		of         string
		floor      string // how many times that at most
	}{
		{namespaces, "as a Go benchmark", "≤ 2 at 100,000"},
		{1, "one list of more than 8 MiB", "≤ 3"},
	} {
		out, err := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-benchtime", fmt.Sprintf("%dx", goPolls),
			"-bench", fmt.Sprintf("^BenchmarkPoll$/^namespaces=%d$/^volumes=%d$", lists.namespaces, n), "./pkg/controller/internal/source").CombinedOutput()
		if err != nil {
			return fmt.Errorf("the Go benchmark of a poll: %w\n%s", err, out)
		}
		of := goResults(string(out))
		if of["poll"].allocations == 0 {
			b.say("there is no Go benchmark of a poll of %s volumes (namespaces: %d)", thousands(n), lists.namespaces)
			continue
		}
		b.goSteady(n, ", "+lists.of, lists.floor, of)
		b.goChanged(n, ", "+lists.of, of)
	}
	return nil
}

// goSteady tells of a poll that shows nothing new.
func (b *bench) goSteady(n int, lists, wanted string, of map[string]goResult) {
	poll, floor, decode := of["poll"], of["floor"], of["decode"]
	const cpu = "processor time of a steady poll"
	b.row(row{
		cpu + lists, n, ms(poll.cpu), ms(floor.cpu) + " to read and hash the same bytes", times(poll.cpu.Seconds(), floor.cpu.Seconds()), wanted,
	})
	b.row(row{
		cpu + lists + ", against decoding", n, ms(poll.cpu), ms(decode.cpu) + " to decode them into the go-api types",
		times(decode.cpu.Seconds(), poll.cpu.Seconds()), "≥ 20 at 100,000",
	})
	b.row(row{
		"allocations of a steady poll" + lists, n, thousands(poll.allocations), thousands(decode.allocations) + " to decode",
		times(float64(decode.allocations), float64(poll.allocations)), "as many with more volumes",
	})
}

// goChanged tells of polls that show something new.
func (b *bench) goChanged(n int, lists string, of map[string]goResult) {
	for _, poll := range []struct{ name, shows, wanted string }{
		{"changed", "that shows one change", "1 decoded, 1 queued"},
		{"reordered", "that shows all lists in another order", "0 decoded, 0 queued"},
	} {
		r := of[poll.name]
		b.row(row{
			"volumes looked into by a poll " + poll.shows + lists, n,
			fmt.Sprintf("%s, %s decoded, %s queued", thousands(r.volumes), thousands(r.decoded), thousands(r.queued)), "-", "-", poll.wanted,
		})
		b.row(row{
			"processor time of a poll " + poll.shows + lists, n, ms(r.cpu),
			ms(of["poll"].cpu) + " for a steady one", times(r.cpu.Seconds(), of["poll"].cpu.Seconds()), "-",
		})
	}
}

// goResult is what a Go benchmark says of one poll.
type goResult struct {
	cpu         time.Duration
	allocations int
	volumes     int // that it looked into
	decoded     int
	queued      int
}

// goResults reads the output of go test -bench: what it says, by the last part of the name.
func goResults(out string) map[string]goResult {
	all := map[string]goResult{}
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) < 2 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name := fields[0][strings.LastIndex(fields[0], "/")+1:]
		if i := strings.LastIndex(name, "-"); i > 0 {
			name = name[:i] // the number of processors
		}
		var r goResult
		for i := 2; i+1 < len(fields); i += 2 {
			value, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				break
			}
			switch fields[i+1] {
			case "cpu-ns/op":
				r.cpu = time.Duration(value)
			case "allocs/op":
				r.allocations = int(value)
			case "volumes/op":
				r.volumes = int(value)
			case "decoded/op":
				r.decoded = int(value)
			case "queued/op":
				r.queued = int(value)
			}
		}
		all[name] = r
	}
	return all
}
