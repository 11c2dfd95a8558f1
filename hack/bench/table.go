package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// row is a figure beside what it is compared with.
type row struct {
	what     string
	volumes  int
	measured string
	beside   string
	ratio    string
	target   string
}

func (b *bench) row(r row) {
	b.rows = append(b.rows, r)
	b.say("%s, %s volumes: %s; beside %s; %s; wanted: %s", r.what, thousands(r.volumes), r.measured, r.beside, r.ratio, r.target)
}

// write writes the table, by what was measured, then by the number of volumes.
func (b *bench) write(w io.Writer) {
	fmt.Fprintf(w, "# Benchmarks\n\nWritten by `make bench` on %d cores (%s), %s, %s, in %v.\n\n",
		runtime.NumCPU(), processorName(), runtime.Version(), clientGo(), time.Since(b.begun).Round(time.Second))
	fmt.Fprint(w, "Who is compared in a cold start takes turns; a pace is that of all turns together.\n"+
		"The API server does not compare its caches with etcd meanwhile. \"While the machine ran\":\n"+
		"without what was going on while a processor was not to be had, as in a virtual machine\n"+
		"that has to wait for its own.\n\n")
	fmt.Fprintln(w, "| what | volumes | measured | beside, in the same run | ratio | wanted |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|")
	var order []string
	by := map[string][]row{}
	for _, r := range b.rows {
		if by[r.what] == nil {
			order = append(order, r.what)
		}
		by[r.what] = append(by[r.what], r)
	}
	for _, what := range order {
		for _, r := range by[what] {
			fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s |\n", r.what, thousands(r.volumes), r.measured, r.beside, r.ratio, r.target)
		}
	}
}

func clientGo() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == "k8s.io/client-go" {
				return "client-go " + m.Version
			}
		}
	}
	return "client-go"
}

func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond)) }

func mib(n int64) string { return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20)) }

func times(a, b float64) string { return fmt.Sprintf("%.2f", a/b) }

// processorName is what the machine says of its processor.
func processorName() string {
	raw, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	for line := range strings.Lines(string(raw)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.Trim(name, "\t :\n")
		}
	}
	return "unknown processor"
}
