package realtools

import (
	"os/exec"
	"strings"
	"testing"
)

// helmOn runs a Helm that needs no cluster.
func helmOn(t *testing.T, helm string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(program(helm+"/helm"), args...)
	cmd.Dir = root
	cmd.Env = append(cmd.Environ(), "HOME="+t.TempDir(), "KUBECONFIG=/dev/null")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// A value that makes no sense is refused before anything is installed, by name.
func TestHelmValues(t *testing.T) {
	t.Parallel()
	for _, helm := range []string{"helm4", "helm3"} {
		for value, named := range map[string]string{
			"resources.limits.memory=banana":   "'/resources/limits/memory': 'banana' does not match",
			"nodeSelector.disk=1":              "'/nodeSelector/disk': got number, want string",
			"interval=0s":                      "'/interval'",
			"interval=often":                   "'/interval': 'often' does not match",
			"extraArgs={-metrics-addr=:9090}":  "'/extraArgs/0'",
			"replicaCount=3":                   "'replicaCount' not allowed",
			"serviceMonitor=true":              "'/serviceMonitor': got boolean, want object",
			"metricsPort=80":                   "'/metricsPort'",
			"resources.limits.memory=null":     "'/resources/limits': missing property 'memory'",
			"image.tag=1":                      "'/image/tag': got number, want string",
			"prometheusRule.labels.release=7":  "'/prometheusRule/labels/release': got number, want string",
			"podAnnotations.example\\.com/a=1": "'/podAnnotations/example.com~1a': got number, want string",
		} {
			out, err := helmOn(t, helm, "template", "x", "deploy/chart", "--set", value)
			if err == nil || !strings.Contains(out, named) {
				t.Errorf("%s with %s: it has to be refused and to say %q: %v\n%s", helm, value, named, err, out)
			}
		}
	}
}

// The chart is without fault to Helm's own eyes, and its readme is found.
func TestHelmLint(t *testing.T) {
	t.Parallel()
	for _, helm := range []string{"helm4", "helm3"} {
		for _, tc := range []struct{ args, says string }{
			{"lint --strict deploy/chart --set serviceMonitor.enabled=true --set prometheusRule.enabled=true --set dashboard.enabled=true", "1 chart(s) linted, 0 chart(s) failed"},
			{"show readme deploy/chart", "--take-ownership"},
			{"show values deploy/chart", "secretName: storageos-api"},
		} {
			out, err := helmOn(t, helm, strings.Fields(tc.args)...)
			if err != nil || !strings.Contains(out, tc.says) || strings.Contains(out, "[WARNING]") {
				t.Errorf("%s %s: %v\n%s", helm, tc.args, err, out)
			}
		}
	}
}
