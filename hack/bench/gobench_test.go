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
BenchmarkPoll/namespaces=50/volumes=1000/poll 	      40	   7021000 ns/op	   8.5e+06 cpu-ns/op	  1.000 decoded/op	  2 queued/op	  200.0 volumes/op	  200000 B/op	    6030 allocs/op
PASS
ok  	github.com/storageos/volume-sync-controller/pkg/controller	6.6s
`
	want := map[string]goResult{
		"floor": {cpu: 9500 * time.Microsecond, allocations: 5100},
		"poll":  {cpu: 8500 * time.Microsecond, allocations: 6030, volumes: 200, decoded: 1, queued: 2},
	}
	if diff := cmp.Diff(want, goResults(out), cmp.AllowUnexported(goResult{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
