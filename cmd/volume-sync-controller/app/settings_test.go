package app

import (
	"flag"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/ktesting"
)

// The first line has what tells a process from others.
func TestSettings(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args  []string
		found map[string]string
		own   []any
		usual []any // some of it
	}{
		"nothing is set": {
			found: map[string]string{"api-endpoint": "http://storageos:5705", "namespace": "storageos", "kube-api-burst": "0"},
			own:   []any{"api-endpoint", "http://storageos:5705", "namespace", "storageos", "enable-leader-election", "false", "delete-orphans", "true"},
			usual: []any{"api-poll-interval", "5s", "kube-api-burst", "0", "logging-format", "text"},
		},
		"some are": {
			args:  []string{"-workers=3", "-delete-orphans=false", "-enable-leader-election", "-v=4", "-api-poll-interval=5s", "-kube-api-qps=7"},
			found: map[string]string{"kube-api-burst": "7"},
			own: []any{
				"api-endpoint", "storageos", "namespace", "", "enable-leader-election", "true", "delete-orphans", "false",
				"kube-api-burst", "7", "kube-api-qps", "7", "v", "4", "workers", "3",
			},
			usual: []any{"api-poll-interval", "5s"},
		},
		"klog's, as it is by default": {
			args: []string{"-v=0"},
			own:  []any{"api-endpoint", "storageos", "namespace", "", "enable-leader-election", "false", "delete-orphans", "true", "v", "0"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own, usual := settings(parsed(t, tc.args...).flags, tc.found)
			if diff := cmp.Diff(tc.own, own); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			values := map[any]any{}
			for i := 0; i < len(usual); i += 2 {
				values[usual[i]] = usual[i+1]
			}
			for i := 0; i < len(tc.usual); i += 2 {
				if got := values[tc.usual[i]]; got != tc.usual[i+1] {
					t.Errorf("%v is %v", tc.usual[i], got)
				}
			}
		})
	}
}

// All settings are logged, each once, in lines that can be read.
func TestLogSettings(t *testing.T) {
	t.Parallel()
	o := parsed(t, "-workers=3")
	logger := ktesting.NewLogger(t, ktesting.NewConfig(ktesting.BufferLogs(true)))
	logSettings(logger, o.flags, nil)
	said := logger.GetSink().(ktesting.Underlier).GetBuffer().String()
	if !strings.HasPrefix(said, "INFO Starting volume-sync-controller ") {
		t.Errorf("it begins with %s", said)
	}
	for line := range strings.Lines(said) {
		if len(line) > 300 {
			t.Errorf("%d characters: %s", len(line), line)
		}
	}
	klogs := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(klogs)
	o.flags.VisitAll(func(f *flag.Flag) {
		want := 1
		if f.Name == "version" || klogs.Lookup(f.Name) != nil {
			want = 0
		}
		if n := strings.Count(said, " "+f.Name+"="); n != want {
			t.Errorf("-%s is told %d times", f.Name, n)
		}
	})
}
