package controller

import (
	"context"
	"sync"
	"time"

	"k8s.io/klog/v2"
)

// troublePause is how often at most the failures of one stage are logged: while
// an API is down, every volume fails in the same way.
const troublePause = 10 * time.Second

// trouble logs failures without drowning whoever reads them.
type trouble struct {
	mu     sync.Mutex
	stages map[string]*stageTrouble
}

type stageTrouble struct {
	last time.Time
	more int // not logged since
}

func (t *trouble) log(ctx context.Context, stage string, err error) {
	t.mu.Lock()
	if t.stages == nil {
		t.stages = map[string]*stageTrouble{}
	}
	s := t.stages[stage]
	if s == nil {
		s = &stageTrouble{}
		t.stages[stage] = s
	}
	now := time.Now()
	if now.Sub(s.last) < troublePause {
		s.more++
		t.mu.Unlock()
		klog.FromContext(ctx).V(4).Info("Failed, will be tried again", "stage", stage, "err", err)
		return
	}
	more := s.more
	s.last, s.more = now, 0
	t.mu.Unlock()
	klog.FromContext(ctx).Error(err, "Failed, will be tried again", "stage", stage, "moreNotLogged", more)
}
