package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// manyVolumes: with 10,000 volumes no Pod reaches its limit of memory.
func (e *nodeEnv) manyVolumes() {
	const many = 10000
	leader := e.leads("")
	peak := map[string]uint64{}
	watch := func() map[string]uint64 {
		now := e.workingSets()
		for name, bytes := range now {
			peak[name] = max(peak[name], bytes)
		}
		return now
	}
	begun := time.Now()
	e.simulate(http.MethodPost, "fill", map[string]int{"volumes": many - nodeVolumes}, nil)
	c := e.measured(leader)
	e.eventually("the records are there", 10*time.Minute, func() error {
		watch()
		if n := c.metric("storageos_volume_records"); n != many {
			return fmt.Errorf("%v", n)
		}
		return e.count(many)
	})
	e.t.Logf("%d records after %v", many, time.Since(begun).Round(time.Second))
	// When the grace ends, the records say that nobody has claimed the volumes.
	written, quiet := 0.0, 0
	e.eventually("nothing is written any more", 10*time.Minute, func() error {
		time.Sleep(nodePoll) // to ask often would take from its time
		now := c.metric("storageos_volume_writes_total")
		if quiet++; now != written {
			written, quiet = now, 0
		}
		if quiet < 4 {
			return fmt.Errorf("%v writes, none in the last %d polls", written, quiet)
		}
		return nil
	})

	// By its own word: what the kubelet says of CPU time is up to 15 s old.
	const polls = 6
	before := c.metric("process_cpu_seconds_total")
	time.Sleep(polls * nodePoll)
	used := c.metric("process_cpu_seconds_total") - before
	e.t.Logf("a steady poll of %d volumes takes %.0f ms of CPU", many, 1000*used/polls)
	if before <= 0 || used <= 0 {
		e.t.Errorf("%v s of CPU time, and then %v s", before, used)
	}
	if n := c.metric("storageos_volume_writes_total"); n != written {
		e.t.Errorf("%v writes in between", n-written)
	}
	for _, p := range e.pods() {
		now, limit := watch()[p.Name], uint64(p.Spec.Containers[0].Resources.Limits.Memory().Value())
		role := "standby"
		if p.Name == leader {
			role = "leader"
		}
		e.t.Logf("%s: working set %d MiB, at most %d MiB, limit %d MiB", role, now>>20, peak[p.Name]>>20, limit>>20)
		if now == 0 || peak[p.Name] >= limit {
			e.t.Errorf("%s: %d of %d bytes", p.Name, peak[p.Name], limit)
		}
		if n := restarts(p); n != 0 {
			e.t.Errorf("%s was started again: %v", p.Name, p.Status.ContainerStatuses)
		}
	}
	if now := e.leads(""); now != leader {
		e.t.Errorf("%s leads, no longer %s", now, leader)
	}
}

// workingSets asks the kubelet how many bytes each Pod needs of memory.
func (e *nodeEnv) workingSets() map[string]uint64 {
	e.t.Helper()
	var summary struct {
		Pods []struct {
			PodRef     struct{ Name string }
			Containers []struct {
				Memory struct{ WorkingSetBytes uint64 }
			}
		}
	}
	text, err := e.kube.CoreV1().RESTClient().Get().AbsPath("/api/v1/nodes/node/proxy/stats/summary").
		Param("only_cpu_and_memory", "true").DoRaw(context.Background())
	e.must(err)
	e.must(json.Unmarshal(text, &summary))
	all := map[string]uint64{}
	for _, p := range summary.Pods {
		for _, c := range p.Containers {
			all[p.PodRef.Name] += c.Memory.WorkingSetBytes
		}
	}
	return all
}
