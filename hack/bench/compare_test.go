package main

import (
	"os/exec"
	"strings"
	"testing"
)

func TestCompare(t *testing.T) {
	t.Parallel()
	if err := exec.Command("git", "rev-parse", "--verify", "--quiet", "HEAD").Run(); err != nil {
		t.Skip("not a Git repository: there is no commit to compare with (make bench-compare)")
	}
	cmd := exec.Command("../bench-compare.sh", "HEAD")
	cmd.Env = append(cmd.Environ(), "BENCH_ROUNDS=1", "BENCH_TIME=1x")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	for _, want := range []string{
		"vs base", "List/volumes=10000/known", "DecodeVolume", "Decide", "Content", "Patch", "TrimRecord", "Event/ours",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the comparison does not have %q:\n%s", want, out)
		}
	}
}
