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
// a process: allocations; and a list that is too long to be held, as no namespace of the
// bench has one.
func (b *bench) goBenchmark(ctx context.Context, n int) error {
	for _, lists := range []struct {
		namespaces int
		of         string
		floor      string // how many times that at most
	}{
		{namespaces, "of a steady poll, as a Go benchmark", "≤ 2 at 100,000"},
		{1, "of a steady poll of one list of more than 8 MiB", "≤ 3"},
	} {
		out, err := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-benchtime", fmt.Sprintf("%dx", goPolls),
			"-bench", fmt.Sprintf("^BenchmarkPoll$/^namespaces=%d$/^volumes=%d$", lists.namespaces, n), "./pkg/controller").CombinedOutput()
		if err != nil {
			return fmt.Errorf("the Go benchmark of a poll: %w\n%s", err, out)
		}
		of := goResults(string(out))
		poll, floor, decode := of["poll"], of["floor"], of["decode"]
		if poll.allocations == 0 {
			continue // there is none with that many
		}
		cpu := "processor time " + lists.of
		b.row(row{
			cpu, n, ms(poll.cpu), ms(floor.cpu) + " to read and hash the same bytes", times(poll.cpu.Seconds(), floor.cpu.Seconds()), lists.floor,
		})
		b.row(row{
			cpu + ", against decoding", n, ms(poll.cpu), ms(decode.cpu) + " to decode them into the go-api types",
			times(decode.cpu.Seconds(), poll.cpu.Seconds()), "≥ 20 at 100,000",
		})
		b.row(row{
			"allocations " + lists.of, n, thousands(poll.allocations), thousands(decode.allocations) + " to decode",
			times(float64(decode.allocations), float64(poll.allocations)), "as many with more volumes",
		})
	}
	return nil
}

// goResult is what a Go benchmark says of one poll.
type goResult struct {
	cpu         time.Duration
	allocations int
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
			}
		}
		all[name] = r
	}
	return all
}
