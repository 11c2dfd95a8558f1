package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestGoResults(t *testing.T) {
	t.Parallel()
	const out = `goos: linux
BenchmarkPoll/namespaces=50/volumes=1000/floor-2         	      40	   8021000 ns/op	   9500000 cpu-ns/op	  300000 B/op	    5100 allocs/op
BenchmarkPoll/namespaces=50/volumes=1000/poll 	      40	   7021000 ns/op	   8.5e+06 cpu-ns/op	  200000 B/op	    6030 allocs/op
PASS
ok  	github.com/storageos/volume-sync-controller/pkg/controller	6.6s
`
	want := map[string]goResult{
		"floor": {9500 * time.Microsecond, 5100},
		"poll":  {8500 * time.Microsecond, 6030},
	}
	if diff := cmp.Diff(want, goResults(out), cmp.AllowUnexported(goResult{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
