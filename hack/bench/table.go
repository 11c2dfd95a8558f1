package main

import (
	"debug/buildinfo"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
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
	fmt.Fprintf(w, "# Benchmarks\n\nWritten by `%s` in %v, on %d cores (%s) with %s, of\n%s.\n\n",
		b.command(), time.Since(b.begun).Round(time.Second), runtime.NumCPU(), processorName(), memoryTotal(), b.versions)
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

// command is what makes such a table.
func (o options) command() string {
	text := "make bench"
	if o.volumes != usualVolumes {
		text += fmt.Sprint(" BENCH_VOLUMES=", o.volumes)
	}
	switch {
	case o.alone && o.early:
		text += " BENCH_ARGS='-alone -early'"
	case o.alone:
		text += " BENCH_ARGS=-alone"
	case o.early:
		text += " BENCH_ARGS=-early"
	}
	return text
}

// measured are the versions of what is measured.
func (o options) measured() (string, error) {
	controller, err := exec.Command(filepath.Join(o.bin, "volume-sync-controller"), "-version").Output()
	if err != nil {
		return "", fmt.Errorf("asking the controller for its version: %w", err)
	}
	name, _, _ := strings.Cut(strings.TrimSpace(string(controller)), " (")
	text := fmt.Sprintf("%s (%s)", name, runtime.Version())
	for _, of := range []struct{ program, module, name string }{
		{"volume-sync-controller", "k8s.io/client-go", "client-go"},
		{"devcluster", "k8s.io/kubernetes", "Kubernetes"},
		{"devcluster", "go.etcd.io/etcd/server/v3", "etcd"},
	} {
		info, err := buildinfo.ReadFile(filepath.Join(o.bin, of.program))
		if err != nil {
			return "", err
		}
		i := slices.IndexFunc(info.Deps, func(m *debug.Module) bool { return m.Path == of.module })
		if i < 0 {
			return "", fmt.Errorf("%s was built without %s", of.program, of.module)
		}
		text += fmt.Sprintf(", %s %s", of.name, info.Deps[i].Version)
	}
	return text, nil
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
func processorName() string { return machine("/proc/cpuinfo", "model name", "unknown processor") }

// memoryTotal is how much memory the machine says to have.
func memoryTotal() string {
	var kib int64
	if _, err := fmt.Sscanf(machine("/proc/meminfo", "MemTotal", ""), "%d kB", &kib); err != nil {
		return "unknown memory"
	}
	return fmt.Sprintf("%.0f GiB", float64(kib)/(1<<20))
}

// machine reads what a file says under a name.
func machine(file, name, otherwise string) string {
	raw, err := os.ReadFile(file)
	if err != nil {
		return otherwise
	}
	for line := range strings.Lines(string(raw)) {
		if value, ok := strings.CutPrefix(line, name); ok {
			return strings.Trim(value, "\t :\n")
		}
	}
	return otherwise
}
