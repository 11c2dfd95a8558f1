package app

import (
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A probe fails once the loop that the phase depends on stands still for
// longer than it may.
func TestLive(t *testing.T) {
	t.Parallel()
	const pollMax, lookMax = 105 * time.Second, 45 * time.Second
	for name, tc := range map[string]struct {
		phase  phase
		before time.Duration // the loops last turned, before the phase began
		after  time.Duration // the loops last turned, after the phase began
		since  time.Duration // now is so long after that
		want   string        // what the error says; "": it lives
	}{
		"it starts, however long that takes": {starting, time.Hour, 0, time.Hour, ""},

		"a standby looks":              {standby, 0, time.Hour, lookMax, ""},
		"a standby has ceased to look": {standby, 0, time.Hour, lookMax + 1, "the lease was not looked at for 45s"},
		"a standby has just begun":     {standby, time.Hour, 0, lookMax, ""},
		"a standby never looked":       {standby, time.Hour, 0, lookMax + time.Second, "the lease was not looked at for 46s"},
		"a leader polls":               {leading, 0, time.Hour, pollMax, ""},
		"a leader has ceased to poll":  {leading, 0, time.Hour, pollMax + 1, "no request of a listing of StorageOS has begun or ended for 1m45s"},
		"a leader has just begun":      {leading, time.Hour, 0, pollMax, ""},
		"a leader never polled":        {leading, time.Hour, 0, pollMax + time.Minute, "no request of a listing of StorageOS has begun or ended for 2m45s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				turned := time.Now()
				never := func() time.Time { return time.Time{} }
				h := &health{polled: never, pollMax: pollMax, looked: never, lookMax: lookMax}
				switch tc.phase {
				case standby:
					h.looked = func() time.Time { return turned }
				case leading:
					h.polled = func() time.Time { return turned }
				}
				time.Sleep(tc.before)
				h.enter(tc.phase)
				if tc.after > 0 {
					time.Sleep(tc.after)
					turned = time.Now()
				}
				time.Sleep(tc.since)
				if got := text(h.live()); got != tc.want {
					t.Errorf("%q, want %q", got, tc.want)
				}
			})
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestHandler(t *testing.T) {
	t.Parallel()
	dead := func(h *health) {
		h.phase.Store(int32(standby)) // since 1970
		h.looked = func() time.Time { return time.Time{} }
	}
	ready := func(h *health) { h.ready.Store(true) }
	nothing := func(*health) {}
	for name, tc := range map[string]struct {
		state     func(*health)
		profiling bool
		request   string
		code      int
		body      string // what it contains
	}{
		"it lives":                     {nothing, false, "GET /livez", 200, "ok\n"},
		"it lives, by the old name":    {nothing, false, "GET /healthz", 200, "ok\n"},
		"it is dead":                   {dead, false, "GET /livez", 503, "the lease was not looked at for "},
		"it is dead, by the old name":  {dead, false, "GET /healthz", 503, "the lease was not looked at for "},
		"it is not ready yet":          {nothing, false, "GET /readyz", 503, "waiting for a login, the CRD or the caches"},
		"it is ready":                  {ready, false, "GET /readyz", 200, "ok\n"},
		"ready does not mean living":   {func(h *health) { ready(h); dead(h) }, false, "GET /livez", 503, "looked"},
		"nor the other way":            {func(h *health) { ready(h); dead(h) }, false, "GET /readyz", 200, "ok\n"},
		"a probe by HEAD":              {nothing, false, "HEAD /livez", 200, ""},
		"metrics":                      {nothing, false, "GET /metrics", 200, "\ngo_goroutines "},
		"nothing can be posted":        {nothing, false, "POST /metrics", 405, ""},
		"there is nothing else":        {nothing, false, "GET /", 404, ""},
		"nor below a probe":            {nothing, false, "GET /livez/ping", 404, ""},
		"profiles are not shown":       {nothing, false, "GET /debug/pprof/", 404, ""},
		"nor the command line":         {nothing, false, "GET /debug/pprof/cmdline", 404, ""},
		"unless they are asked for":    {nothing, true, "GET /debug/pprof/", 200, "goroutine"},
		"one profile":                  {nothing, true, "GET /debug/pprof/goroutine?debug=1", 200, "goroutine profile"},
		"the command line":             {nothing, true, "GET /debug/pprof/cmdline", 200, ".test"},
		"what is there is there still": {nothing, true, "GET /livez", 200, "ok\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &health{}
			tc.state(h)
			method, path, _ := strings.Cut(tc.request, " ")
			w := httptest.NewRecorder()
			h.handler(tc.profiling).ServeHTTP(w, httptest.NewRequest(method, path, nil))
			if w.Code != tc.code || !strings.Contains(w.Body.String(), tc.body) {
				t.Errorf("%d %q, want %d %q", w.Code, w.Body, tc.code, tc.body)
			}
		})
	}
}
