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
	watch := func() map[string]podUse {
		use := e.used()
		for name, u := range use {
			peak[name] = max(peak[name], u.memory)
		}
		return use
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
	c.polls(2) // what was queued has been worked on

	const polls = 3
	before := watch()[leader]
	c.polls(polls)
	after := watch()[leader]
	perPoll := (after.cpu - before.cpu) / polls
	e.t.Logf("a listing of %d volumes takes %v of CPU", many, perPoll.Round(time.Millisecond))
	if perPoll == 0 {
		e.t.Error("the kubelet knows no CPU time")
	}
	for _, p := range e.pods() {
		now, limit := watch()[p.Name].memory, uint64(p.Spec.Containers[0].Resources.Limits.Memory().Value())
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

// podUse is what a Pod's container uses, as its kubelet says.
type podUse struct {
	cpu    time.Duration // since its start
	memory uint64        // its working set in bytes
}

// used asks the kubelet for its statistics.
func (e *nodeEnv) used() map[string]podUse {
	e.t.Helper()
	var summary struct {
		Pods []struct {
			PodRef     struct{ Name string }
			Containers []struct {
				CPU    struct{ UsageCoreNanoSeconds uint64 }
				Memory struct{ WorkingSetBytes uint64 }
			}
		}
	}
	text, err := e.kube.CoreV1().RESTClient().Get().AbsPath("/api/v1/nodes/node/proxy/stats/summary").
		Param("only_cpu_and_memory", "true").DoRaw(context.Background())
	e.must(err)
	e.must(json.Unmarshal(text, &summary))
	use := map[string]podUse{}
	for _, p := range summary.Pods {
		u := podUse{}
		for _, c := range p.Containers {
			u.cpu += time.Duration(c.CPU.UsageCoreNanoSeconds)
			u.memory += c.Memory.WorkingSetBytes
		}
		use[p.PodRef.Name] = u
	}
	return use
}
