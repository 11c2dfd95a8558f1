package app

import (
	"errors"
	"flag"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/klog/v2"
)

// Programs that start this one rely on every name and default.
func TestFlags(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"api-endpoint":           "storageos",
		"api-secret-path":        "/etc/storageos/secrets/api",
		"api-ca-file":            "",
		"api-poll-interval":      "5s",
		"api-refresh-interval":   "1m0s",
		"api-retry-interval":     "5s",
		"api-timeout":            "30s",
		"claim-events":           "false",
		"csi-driver":             "csi.storageos.com",
		"early-reads":            "true",
		"workers":                "10",
		"resync-interval":        "10m0s",
		"delete-orphans":         "true",
		"orphan-grace-period":    "15s",
		"max-orphan-percent":     "20",
		"max-orphan-count":       "10",
		"mass-orphan-hold":       "10m0s",
		"accept-cluster-id":      "",
		"progress-interval":      "30s",
		"kube-api-qps":           "0",
		"kube-api-burst":         "0",
		"kubeconfig":             "",
		"namespace":              "",
		"enable-leader-election": "false",
		"lease-duration":         "15s",
		"renew-deadline":         "10s",
		"retry-period":           "2s",
		"status-addr":            "127.0.0.1:8081",
		"metrics-addr":           ":8080",
		"profiling":              "false",
		"logging-format":         "text",
		"version":                "false",
	}
	klogs := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(klogs)
	got := map[string]string{}
	parsed(t).flags.VisitAll(func(f *flag.Flag) {
		if klogs.Lookup(f.Name) == nil {
			got[f.Name] = f.DefValue
		}
		if klogs.Lookup(f.Name) == nil && f.Value.String() != f.DefValue {
			t.Errorf("-%s is %q by default, and says %q", f.Name, f.Value, f.DefValue)
		}
		if f.Usage == "" {
			t.Errorf("-%s says nothing of its use", f.Name)
		}
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("flags and defaults (-want +got):\n%s", diff)
	}
	if parsed(t).flags.Lookup("v") == nil {
		t.Error("klog's own flags are missing")
	}
}

// Each flag sets what it says: a value that is not the default arrives.
func TestFlagsSet(t *testing.T) {
	t.Parallel()
	o := parsed(t,
		"-api-endpoint=https://api:1", "-api-secret-path=/secret", "-api-ca-file=/ca", "-api-poll-interval=1s",
		"-api-refresh-interval=2s", "-api-retry-interval=3s", "-api-timeout=4s", "-csi-driver=driver", "-workers=5",
		"-resync-interval=6s", "-delete-orphans=false", "-orphan-grace-period=7s", "-max-orphan-percent=8",
		"-max-orphan-count=9", "-mass-orphan-hold=10s", "-accept-cluster-id=cluster", "-progress-interval=11s",
		"-kube-api-qps=12", "-kube-api-burst=13", "-kubeconfig=/kubeconfig", "-namespace=namespace",
		"-enable-leader-election", "-lease-duration=16s", "-renew-deadline=15s", "-retry-period=1s",
		"-metrics-addr=host:17", "-profiling", "-claim-events", "-early-reads=false", "-logging-format=json")
	const s = time.Second
	c := o.controller
	for name, pair := range map[string][2]any{
		"api-endpoint": {o.endpoint.String(), "https://api:1"}, "api-secret-path": {o.apiSecretPath, "/secret"},
		"api-ca-file": {o.apiCAFile, "/ca"}, "api-poll-interval": {c.PollInterval, s},
		"api-refresh-interval": {o.apiRefreshInterval, 2 * s}, "api-retry-interval": {c.RetryInterval, 3 * s},
		"api-timeout": {o.apiTimeout, 4 * s}, "csi-driver": {c.CSIDriver, "driver"}, "workers": {c.Workers, 5},
		"resync-interval": {c.ResyncInterval, 6 * s}, "delete-orphans": {c.DeleteOrphans, false}, "early-reads": {c.EarlyReads, false},
		"orphan-grace-period": {c.OrphanGracePeriod, 7 * s}, "max-orphan-percent": {c.MaxOrphanPercent, 8},
		"max-orphan-count": {c.MaxOrphanCount, 9}, "mass-orphan-hold": {c.MassOrphanHold, 10 * s},
		"accept-cluster-id": {c.AcceptClusterID, "cluster"}, "progress-interval": {c.ProgressInterval, 11 * s},
		"kube-api-qps": {o.kubeAPIQPS, 12.0}, "kube-api-burst": {o.kubeAPIBurst, 13},
		"kubeconfig": {o.kubeconfig, "/kubeconfig"}, "namespace": {o.namespace, "namespace"},
		"enable-leader-election": {o.election, true}, "lease-duration": {o.leaseDuration, 16 * s},
		"renew-deadline": {o.renewDeadline, 15 * s}, "retry-period": {o.retryPeriod, s},
		"metrics-addr": {o.metricsAddr, "host:17"}, "profiling": {o.profiling, true}, "claim-events": {c.ClaimEvents, true}, "logging-format": {o.loggingFormat, "json"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("-%s sets %v, want %v", name, pair[0], pair[1])
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args string // separated by spaces
		bad  string // what the error names; "": there is none
	}{
		"nothing":           {"", ""},
		"one dash":          {"-workers 3", ""},
		"two dashes":        {"--workers=3 --delete-orphans=false", ""},
		"a host and a port": {"-api-endpoint=host:1", ""},
		"a URL":             {"-api-endpoint=https://host", ""},
		"an IPv6 address":   {"-api-endpoint=[::1]:5705", ""},
		"no resync":         {"-resync-interval=0", ""},
		"no grace":          {"-orphan-grace-period=0s", ""},
		"no breaker":        {"-max-orphan-percent=100 -mass-orphan-hold=0 -progress-interval=0", ""},
		"any orphan trips":  {"-max-orphan-percent=0 -max-orphan-count=0", ""},
		"less than one":     {"-kube-api-qps=0.5", ""},
		"any address":       {"-metrics-addr=[::]:0", ""},
		"a zone":            {"-metrics-addr=[fe80::1%eth0]:0", ""},
		"a host's name":     {"-metrics-addr=Localhost.:0 -status-addr=", ""},
		"another driver":    {"-csi-driver=CSI.example.com", ""},
		"ten years":         {"-resync-interval=87600h", ""},
		"parts of a second": {"-lease-duration=2900ms -renew-deadline=1500ms -retry-period=500ms", ""},
		"a short lease":     {"-lease-duration=3s -renew-deadline=2s -retry-period=1s", ""},

		"unknown":                   {"-nonsense", "-nonsense"},
		"an argument":               {"-workers 3 more", `"more"`},
		"no value":                  {"-workers", "-workers"},
		"not a number":              {"-workers=many", "-workers"},
		"not a duration":            {"-api-timeout=30", "-api-timeout"},
		"not a truth":               {"-delete-orphans=maybe", "-delete-orphans"},
		"no host":                   {"-api-endpoint=", "-api-endpoint"},
		"another scheme":            {"-api-endpoint=ftp://host", "-api-endpoint"},
		"a port too high":           {"-api-endpoint=host:65536", "-api-endpoint"},
		"a path":                    {"-api-endpoint=host/v2", "-api-endpoint"},
		"a password":                {"-api-endpoint=http://u:p@host", "-api-endpoint"},
		"no secret":                 {"-api-secret-path=", "-api-secret-path"},
		"polls without pause":       {"-api-poll-interval=0", "-api-poll-interval"},
		"polls back in time":        {"-api-poll-interval=-5s", "-api-poll-interval"},
		"refreshes without pause":   {"-api-refresh-interval=0", "-api-refresh-interval"},
		"retries without pause":     {"-api-retry-interval=0", "-api-retry-interval"},
		"no time":                   {"-api-timeout=0", "-api-timeout"},
		"no driver":                 {"-csi-driver=", "-csi-driver"},
		"a driver that is unset":    {"-csi-driver=$(DRIVER)", "-csi-driver"},
		"a driver of 64 letters":    {"-csi-driver=" + strings.Repeat("x", 64), "-csi-driver"},
		"nobody works":              {"-workers=0", "-workers"},
		"too many work":             {"-workers=100001", "-workers"},
		"a timeout of centuries":    {"-api-timeout=300000h", "-api-timeout"},
		"polls once in a century":   {"-api-poll-interval=900000h", "-api-poll-interval"},
		"a lease of a century":      {"-lease-duration=900000h", "-lease-duration"},
		"more than ten years":       {"-resync-interval=87600h1ns", "-resync-interval"},
		"resyncs back in time":      {"-resync-interval=-1s", "-resync-interval"},
		"a grace before":            {"-orphan-grace-period=-1s", "-orphan-grace-period"},
		"more than all":             {"-max-orphan-percent=300", "-max-orphan-percent"},
		"less than none":            {"-max-orphan-percent=-1", "-max-orphan-percent"},
		"fewer than none":           {"-max-orphan-count=-1", "-max-orphan-count"},
		"a hold before":             {"-mass-orphan-hold=-1s", "-mass-orphan-hold"},
		"progress back in time":     {"-progress-interval=-1s", "-progress-interval"},
		"a rate below 0":            {"-kube-api-qps=-1", "-kube-api-qps"},
		"a rate that is none":       {"-kube-api-qps=NaN", "-kube-api-qps"},
		"a rate without end":        {"-kube-api-qps=Inf", "-kube-api-qps"},
		"a burst below 0":           {"-kube-api-burst=-1", "-kube-api-burst"},
		"not a namespace's name":    {"-namespace=Kube_System", "-namespace"},
		"no lease":                  {"-lease-duration=0", "-lease-duration"},
		"its fraction is no margin": {"-lease-duration=1900ms -renew-deadline=900ms -retry-period=100ms", "-lease-duration"},
		"a lease of the margin":     {"-lease-duration=1s -renew-deadline=900ms -retry-period=100ms", "-lease-duration"},
		"no longer than renewals":   {"-lease-duration=10s", "-lease-duration"},
		"no time to renew":          {"-renew-deadline=0", "-renew-deadline"},
		"time to renew but once":    {"-renew-deadline=2400ms", "-renew-deadline"},
		"renews without pause":      {"-retry-period=0", "-retry-period"},
		"the first of bad times":    {"-lease-duration=0 -renew-deadline=0 -retry-period=0", "-lease-duration"},
		"an address without colon":  {"-metrics-addr=8080", "-metrics-addr"},
		"an address without port":   {"-metrics-addr=host:", "-metrics-addr"},
		"a variable that is unset":  {"-metrics-addr=$(POD_IP):8080", "-metrics-addr"},
		"an address in quotes":      {`-metrics-addr="127.0.0.1":0`, "-metrics-addr"},
		"a page at no host":         {"-status-addr=$(POD_IP):8081", "-status-addr"},
		"another format":            {"-logging-format=xml", "-logging-format"},
		"no format":                 {"-logging-format=", "-logging-format"},
		"not a level":               {"-v=loud", "-v"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parse(strings.Fields(tc.args), io.Discard)
			if tc.bad == "" {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			if err == nil {
				t.Fatal("accepted")
			}
			if text := err.Error(); !strings.Contains(text, tc.bad) || strings.Contains(text, "\n") {
				t.Errorf("not one line that names %s: %q", tc.bad, text)
			}
		})
	}
}

// Whatever is wrong with an endpoint, or with how it is given, the error names the flag or
// what there is instead of it, in one line, and quotes nothing that could be a password.
func TestEndpointStaysSecret(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args []string
		says string
	}{
		"no scheme":              {[]string{"-api-endpoint=//admin:s3cr3t@host"}, "flag -api-endpoint: it has an @"},
		"in the path":            {[]string{"-api-endpoint", "http://host/admin:s3cr3t@"}, "flag -api-endpoint: it has an @"},
		"one slash":              {[]string{"--api-endpoint=http:/admin:s3cr3t@host"}, "flag -api-endpoint: it has an @"},
		"as a port":              {[]string{"-api-endpoint=admin:s3cr3t"}, "flag -api-endpoint: its port"},
		"in the query":           {[]string{"-api-endpoint=http://h:5705/?password=s3cr3t"}, "flag -api-endpoint: it has more"},
		"another scheme":         {[]string{"-api-endpoint=ftp://u:s3cr3t@h"}, "flag -api-endpoint: it has an @"},
		"a port too high":        {[]string{"-api-endpoint=http://admin:s3cr3t@host:99999"}, "flag -api-endpoint: it has an @"},
		"a line end":             {[]string{"-api-endpoint=http://admin:s3cr3t\n"}, "flag -api-endpoint: it has white space"},
		"three dashes":           {[]string{"---api-endpoint=//admin:s3cr3t@host"}, "bad flag syntax: ---api-endpoint…"},
		"no name":                {[]string{"-=//admin:s3cr3t@host"}, "bad flag syntax: -…"},
		"as a flag":              {[]string{"-http://admin:s3cr3t@host"}, "not defined: …"},
		"a mistyped name":        {[]string{"-api-endpont=//admin:s3cr3t@host"}, "not defined: -api-endpont"},
		"a part as a flag":       {[]string{"-api-endpoint=http://admin:", "-s3cr3t@host"}, "not defined: …"},
		"as an argument":         {[]string{"-api-endpoint=", "http://admin:s3cr3t@host"}, "unexpected argument"},
		"a part as an argument":  {[]string{"-api-endpoint=http://admin:", "s3cr3t@host"}, "unexpected argument"},
		"a space in between":     {[]string{"-api-endpoint", "http://admin", ":s3cr3t@host"}, "unexpected argument"},
		"behind a flag of truth": {[]string{"-delete-orphans", "s3cr3t@host"}, "unexpected argument"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr strings.Builder
			if code := Main(tc.args, &stdout, &stderr); code != exitUsage {
				t.Errorf("exit code %d", code)
			}
			text := stderr.String()
			if !strings.Contains(text, tc.says) || strings.Count(text, "\n") != 1 || strings.Contains(text+stdout.String(), "s3cr3t") {
				t.Errorf("it says %q", text)
			}
		})
	}
}

// What no resolver would take for a host is refused.
func TestEndpointHost(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []string{"$(STORAGEOS_HOST)", `"storageos"`, "storageos,storageos2", "storage os", "-x", "a..b", "1.2.3", "::1", "bücher", "storageos\n"} {
		var stderr strings.Builder
		if code := Main([]string{"-api-endpoint", endpoint}, io.Discard, &stderr); code != exitUsage || !strings.Contains(stderr.String(), "flag -api-endpoint: ") {
			t.Errorf("%q: exit code %d, %q", endpoint, code, stderr.String())
		}
	}
}

// -h shows every flag and its default, whatever else was set.
func TestUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-h"}, {"-help"}, {"--help"}, {"-workers=5", "-h"}} {
		var out strings.Builder
		if _, err := parse(args, &out); !errors.Is(err, flag.ErrHelp) {
			t.Errorf("%q: %v", args, err)
		}
		for _, text := range []string{"\nFlags:\n", "  -api-endpoint host\n", `(default "storageos")`, "(default 5s)", "(default 10)\n", "  -v value\n"} {
			if !strings.Contains(out.String(), text) {
				t.Errorf("%q does not say %q:\n%s", args, text, out.String())
			}
		}
	}
}
