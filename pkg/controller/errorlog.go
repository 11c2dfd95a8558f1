package controller

import (
	"context"
	"sync"
	"time"

	"k8s.io/klog/v2"
)

// errorLogPause is how often at most the failures of one stage are logged: while
// an API is down, every volume fails in the same way.
const errorLogPause = 10 * time.Second

// errorLog logs failures without drowning whoever reads them.
type errorLog struct {
	mu     sync.Mutex
	stages map[string]*stageErrors
}

type stageErrors struct {
	last time.Time
	more int // not logged since
}

func (l *errorLog) log(ctx context.Context, stage string, err error) {
	l.mu.Lock()
	if l.stages == nil {
		l.stages = map[string]*stageErrors{}
	}
	s := l.stages[stage]
	if s == nil {
		s = &stageErrors{}
		l.stages[stage] = s
	}
	now := time.Now()
	if now.Sub(s.last) < errorLogPause {
		s.more++
		l.mu.Unlock()
		klog.FromContext(ctx).V(4).Info("Failed, will be tried again", "stage", stage, "err", err)
		return
	}
	more := s.more
	s.last, s.more = now, 0
	l.mu.Unlock()
	klog.FromContext(ctx).Error(err, "Failed, will be tried again", "stage", stage, "moreNotLogged", more)
}
