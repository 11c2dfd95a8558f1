package realtools

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
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
			"resources.limits.memory=banana":                          `resources.limits.memory is "banana": say a quantity that is more than 0`,
			"nodeSelector.disk=1":                                     "'/nodeSelector/disk': got number, want string",
			"interval=0s":                                             "interval is 0s: it has to be longer than 0, such as 5s",
			"interval=0m0.0s":                                         "interval is 0m0.0s: it has to be longer than 0, such as 5s",
			"interval=0.0000001ms":                                    "interval is 0.0000001ms: it has to be longer than 0, such as 5s",
			"interval=87600h1s":                                       "interval is 87600h1s: it has to be shorter than ten years, such as 5s",
			"endpoint=[1.2.3.4]":                                      `endpoint is "[1.2.3.4]": say a host, host:port or URL of StorageOS`,
			"endpoint=storageos:99999":                                "endpoint is storageos:99999: its port has to be from 1 to 65535",
			"endpoint=1.2.3":                                          "endpoint is 1.2.3: its host ends with a number, and is no IPv4 address",
			"endpoint=storageos..":                                    `endpoint is "storageos..": say a host, host:port or URL of StorageOS`,
			"secretName=a/b":                                          `secretName is "a/b", which is no name of a Secret`,
			"replicas=-1":                                             "'/replicas': minimum: got -1, want 0",
			"interval=often":                                          `interval is "often": say a time, such as 5s or 1m30s`,
			"extraArgs={delete-orphans}":                              `extraArgs has "delete-orphans", which is no flag: say -flag=value`,
			"replicaCount=3":                                          "'replicaCount' not allowed",
			"serviceMonitor=true":                                     "'/serviceMonitor': got boolean, want object",
			"metricsPort=8081":                                        "metricsPort is 8081, which is the status page's (-status-addr=127.0.0.1:8081): use another",
			"metricsPort=80":                                          "'/metricsPort'",
			"podLabels.a/b/c=x":                                       "'/podLabels': additional properties 'a/b/c' not allowed",
			"nodeSelector.a/b/c=x":                                    "'/nodeSelector': additional properties 'a/b/c' not allowed",
			"dashboard.labels.a/b/c=x":                                "'/dashboard/labels': additional properties 'a/b/c' not allowed",
			"image.repository=x:v1":                                   `image.repository is "x:v1": say the name of an image`,
			"image.tag=v1 #x":                                         `image.tag is "v1 #x": say a tag, such as v1.2.3`,
			"resources.limits.memory=256m":                            `resources.limits.memory is "256m", which is less than 8Mi`,
			"resources.limits.memory=256":                             `resources.limits.memory is "256", which is less than 8Mi: without a unit it is bytes`,
			"resources.limits.memory=7Mi":                             `resources.limits.memory is "7Mi", which is less than 8Mi`,
			"resources.requests.memory=128":                           `resources.requests.memory is "128", which is less than 8Mi`,
			"resources.requests.memory=1Gi":                           `resources.requests.memory is "1Gi", which is more than the limit, "256Mi"`,
			"resources.requests.memory=268435457":                     `resources.requests.memory is "268435457", which is more than the limit, "256Mi"`,
			"resources.limits.cpu=49m":                                `resources.requests.cpu is "50m", which is more than the limit, "49m"`,
			"resources.limits.cpu=0":                                  `resources.limits.cpu is "0": say a quantity that is more than 0`,
			"resources.requests.cpu=-1":                               `resources.requests.cpu is "-1": say a quantity that is more than 0`,
			"resources.requests.cpu=1.5.5":                            `resources.requests.cpu is "1.5.5": say a quantity that is more than 0`,
			"resources.requests.ram=1Gi":                              "resources.requests.ram: there is no such resource: there are cpu, memory and ephemeral-storage",
			"securityContext.runAsUser=root":                          "'/securityContext/runAsUser': got string, want null or integer",
			"securityContext.runAsUser=0":                             "securityContext.runAsUser is 0, which is root, and runAsNonRoot is true: the Pods would not start",
			"securityContext.seccompProfile.type=Localhost":           "'/securityContext/seccompProfile': missing property 'localhostProfile'",
			"tolerations[0].operator=Exist":                           "'/tolerations/0/operator': value must be one of 'Exists', 'Equal'",
			"tolerations[0].value=x":                                  "'/tolerations/0': missing property 'key'",
			"tolerations[0].operator=Exists,tolerations[0].value=x":   "'/tolerations/0/value': value must be one of ''",
			"tolerations[0].key=x,tolerations[0].tolerationSeconds=3": "'/tolerations/0': missing property 'effect'",
			"tolerations[0].key=a b,tolerations[0].operator=Exists":   "'/tolerations/0/key': 'a b' does not match",
			"tolerations[0].key=a,tolerations[0].value=b c":           "'/tolerations/0/value': 'b c' does not match",
			"tolerations[0].key=,tolerations[0].value=b":              "'/tolerations/0/key': minLength: got 0, want 1",
			"securityContext.runAsUser=2147483648":                    "'/securityContext/runAsUser': maximum: got",
			"securityContext.supplementalGroups={-1}":                 "'/securityContext/supplementalGroups/0': ",
			"securityContext.seLinuxOptions.lvel=s0":                  "'/securityContext/seLinuxOptions': additional properties 'lvel' not allowed",
			"securityContext.sysctls[0].nam=a":                        "'/securityContext/sysctls/0': ",
			"securityContext.appArmorProfile.type=Localhost,securityContext.appArmorProfile.localhostProfile=":       "'/securityContext/appArmorProfile/localhostProfile': '' does not match",
			"securityContext.appArmorProfile.type=Localhost,securityContext.appArmorProfile.localhostProfile=a/../b": "'/securityContext/appArmorProfile/localhostProfile': 'not' failed",
			"resources.claims[0].name=gpu":                                           "'/resources': additional properties 'claims' not allowed",
			"resources.limits.example\\.com/disk=0.5":                                `resources.limits.example.com/disk is "0.5": say a whole number`,
			"resources.requests.example\\.com/disk=1":                                `resources.requests.example.com/disk is "1": the limit has to be the same`,
			"resources.limits.a/b/c=1":                                               "resources.limits.a/b/c: there is no such resource",
			"resources.limits.hugepages-2Mi=2Mi":                                     "resources.limits.hugepages-2Mi: there is no such resource",
			"tolerations[0].operator=Gt":                                             "'/tolerations/0/operator': value must be one of 'Exists', 'Equal'",
			"imagePullSecrets[0].name=Foo_Bar":                                       "'/imagePullSecrets/0/name': 'Foo_Bar' does not match",
			"imagePullSecrets[0].name=a,imagePullSecrets[1].name=a":                  "'/imagePullSecrets': items at 0 and 1 are equal",
			"securityContext.sysctls[0].name=A b,securityContext.sysctls[0].value=x": "'/securityContext/sysctls/0/name': 'A b' does not match",
			"securityContext.runAsUser=null":                                         "securityContext has a runAsGroup and no runAsUser: the Pods would not start. For OpenShift say openshift=true",
			"endpoint=http://user:pw@storageos":                                      "endpoint has an @ in it: say a host",
			"priorityClassName=System":                                               "'/priorityClassName': 'System' does not match",
			"nodeSelector.a\\.\\.b/c=x":                                              "'/nodeSelector': additional properties 'a..b/c' not allowed",
			"replicas=99999999999":                                                   "'/replicas': maximum: got ",
			"podAnnotations.a b=x":                                                   "'/podAnnotations': additional properties 'a b' not allowed",
			"podLabels.app\\.kubernetes\\.io/name=x":                                 "podLabels has app.kubernetes.io/name, which the chart sets: leave it out",
			"dashboard.labels.app\\.kubernetes\\.io/managed-by=x":                    "dashboard.labels has app.kubernetes.io/managed-by, which the chart sets: leave it out",
			"enabled=false":                                                          "enabled is for the condition of a dependency",
			"resources.limits.memory=null":                                           "'/resources/limits': missing property 'memory'",
			"resources.limits=null":                                                  "'/resources': missing property 'limits'",
			"resources=null":                                                         "missing property 'resources'",
			"crds=null":                                                              "missing property 'crds'",
			"crds.enabled=null":                                                      "'/crds': missing property 'enabled'",
			"image=null":                                                             "missing property 'image'",
			"image.repository=null":                                                  "'/image': missing property 'repository'",
			"deleteOrphans=null":                                                     "missing property 'deleteOrphans'",
			"interval=null":                                                          "missing property 'interval'",
			"dashboard=null":                                                         "missing property 'dashboard'",
			"serviceMonitor.enabled=null":                                            "'/serviceMonitor': missing property 'enabled'",
			"imagePullSecrets[0].nam=x":                                              "'/imagePullSecrets/0': additional properties 'nam' not allowed",
			"tolerations[0].efect=NoExecute":                                         "'/tolerations/0': additional properties 'efect' not allowed",
			"securityContext.runAsuser=1":                                            "'/securityContext': additional properties 'runAsuser' not allowed",
			"endpoint=http://storageos/v2":                                           `endpoint is "http://storageos/v2": say a host, host:port or URL of StorageOS`,
			"image.digest=0f":                                                        `image.digest is "0f": say sha256: and 64 of`,
			"image.tag=1":                                                            "'/image/tag': got number, want string",
			"prometheusRule.labels.release=7":                                        "'/prometheusRule/labels/release': got number, want string",
			"podAnnotations.example\\.com/a=1":                                       "'/podAnnotations/example.com~1a': got number, want string",
		} {
			out, err := helmOn(t, helm, "template", "x", "deploy/chart", "--kube-version", "1.31", "--set", value)
			if err == nil || !strings.Contains(out, named) {
				t.Errorf("%s with %s: it has to be refused and to say %q: %v\n%s", helm, value, named, err, out)
			}
		}
	}
}

// What Kubernetes takes is not refused, however it is written.
func TestHelmTakes(t *testing.T) {
	t.Parallel()
	for _, helm := range []string{"helm4", "helm3"} {
		for _, values := range []string{
			"resources.requests.memory=0.25Gi", "resources.requests.memory=268435456", "resources.limits.memory=1e9", "resources.limits.memory=256M",
			"resources.requests.cpu=.5", "resources.requests.cpu=1", "resources.requests.cpu=50000u", "resources.limits.cpu=0.05", "resources.limits.ephemeral-storage=1Gi",
			"resources.limits.example\\.com/disk=1", "securityContext.runAsUser=0,securityContext.runAsNonRoot=false", "securityContext.runAsUser=0,openshift=true",
			"tolerations[0].operator=Exists", "tolerations[0].key=a,tolerations[0].value=b", "podAnnotations.example\\.com/a=b c", "image.repository=localhost:5000/a/b",
			"interval=1m30s", "interval=1.5s", "priorityClassName=", "resources.requests.cpu=0,resources.requests.memory=0", "global=null",
			"tolerations[0].key=a,tolerations[0].operator=,tolerations[0].effect=null", "podAnnotations.Example\\.com/a=b", "priorityClassName=a.b-c",
			"resources.limits.example\\.com/disk=2,resources.requests.example\\.com/disk=2", "securityContext.appArmorProfile.type=Localhost,securityContext.appArmorProfile.localhostProfile=a/b..c",
			"securityContext.seLinuxOptions.level=s0", "extraArgs={}", "securityContext.runAsUser=null,securityContext.runAsGroup=null", "securityContext.runAsUser=2147483647", "securityContext.sysctls[0].name=a,securityContext.sysctls[0].value=b",
		} {
			if out, err := helmOn(t, helm, "template", "x", "deploy/chart", "--kube-version", "1.31", "--set", values); err != nil {
				t.Errorf("%s with %s: %v\n%s", helm, values, err, out)
			}
		}
	}
}

// What nobody has to have may be null.
func TestHelmNull(t *testing.T) {
	t.Parallel()
	for _, helm := range []string{"helm4", "helm3"} {
		for _, value := range []string{
			"imagePullSecrets", "image.tag", "image.digest", "extraArgs", "podLabels", "podAnnotations", "securityContext", "resources.requests", "nodeSelector",
			"tolerations", "priorityClassName", "serviceMonitor.labels", "prometheusRule.labels", "dashboard.labels",
		} {
			if out, err := helmOn(t, helm, "template", "x", "deploy/chart", "--kube-version", "1.31", "--set", value+"=null",
				"--set", "serviceMonitor.enabled=true,prometheusRule.enabled=true,dashboard.enabled=true"); err != nil {
				t.Errorf("%s with %s=null: %v\n%s", helm, value, err, out)
			}
		}
	}
}

// A flag that another value sets, or that is always set, is refused, and what to use is said.
func TestHelmExtraArgs(t *testing.T) {
	t.Parallel()
	for _, helm := range []string{"helm4", "helm3"} {
		for set, says := range map[string]string{
			"extraArgs={-api-endpoint=x}":                            "extraArgs has the flag -api-endpoint, which the value endpoint sets: use that",
			"extraArgs={-v=4,--api-poll-interval=9s}":                "extraArgs has the flag -api-poll-interval, which the value interval sets: use that",
			"extraArgs={-metrics-addr=:9090}":                        "extraArgs has the flag -metrics-addr, which the value metricsPort sets: use that",
			"extraArgs={-claim-events}":                              "extraArgs has the flag -claim-events, which the value claimEvents sets: use that",
			"extraArgs={-delete-orphans},deleteOrphans=false":        "extraArgs has the flag -delete-orphans, which the value deleteOrphans sets: use that",
			"extraArgs={--enable-leader-election=false}":             "extraArgs has the flag -enable-leader-election, which is always set: leave it out",
			"extraArgs={-delete-orphans=false}":                      "extraArgs has the flag -delete-orphans, which the value deleteOrphans sets: use that",
			"extraArgs={-namespace=x}":                               "extraArgs has the flag -namespace, and the Lease is in the namespace of the release, where the rights are: leave it out",
			"extraArgs={-logtostderr=false}":                         "extraArgs has the flag -logtostderr, which is on, as kubectl logs shows nothing without it: leave it out",
			"extraArgs={-delete-orphaned,-v=2}":                      `extraArgs has "-delete-orphaned", which is no flag of volume-sync-controller v0.1.0`,
			"extraArgs={-workers 3}":                                 `extraArgs has "-workers 3": say -flag=value, and one flag in each`,
			"extraArgs={-v=4 -workers=5}":                            `extraArgs has "-v=4 -workers=5": say -flag=value, and one flag in each`,
			"extraArgs={-help}":                                      "extraArgs has the flag -help, with which the program ends at once: leave it out",
			"extraArgs={-api-secret-path=/x}":                        "extraArgs has the flag -api-secret-path, and the Secret is mounted where it looks without it: leave it out",
			"extraArgs={-delete-orphaned,-v=2},image.tag=v9":         "",
			"extraArgs={-delete-orphaned},image.tag=v0.1.0":          `extraArgs has "-delete-orphaned", which is no flag of`,
			"extraArgs={-version}":                                   "extraArgs has the flag -version, with which the program ends at once: leave it out",
			"extraArgs={-accept-cluster-id,-orphan-grace-period=1h}": "extraArgs has the flag -accept-cluster-id without a value: say -accept-cluster-id=VALUE",
			"extraArgs={-workers}":                                   "extraArgs has the flag -workers without a value: say -workers=VALUE",
			"extraArgs={-workers},image.tag=v9":                      "",
			"extraArgs={-kubeconfig=/x}":                             "extraArgs has the flag -kubeconfig, and the Pods have no such file: leave it out",
			"extraArgs={-status-addr=:9090},metricsPort=9090":        "metricsPort is 9090, which is the status page's (-status-addr=:9090): use another",
			"extraArgs={-status-addr=:8080}":                         "metricsPort is 8080, which is the status page's (-status-addr=:8080): use another",
			"extraArgs={--status-addr=:8082},metricsPort=8081":       "",
			"extraArgs={-status-addr=},metricsPort=8081":             "",
			"extraArgs={-early-reads=false,-profiling}":              "",
			"extraArgs={-accept-cluster-id=-api-endpoint,-v=-api}":   "",
		} {
			out, err := helmOn(t, helm, "template", "x", "deploy/chart", "--kube-version", "1.31", "--set", set)
			if (err == nil) != (says == "") || !strings.Contains(out, says) || err != nil && strings.Contains(out, "schema") {
				t.Errorf("%s with %s: it has to say %q: %v\n%s", helm, set, says, err, out)
			}
		}
	}
}

// A chart that has this one as a dependency changes nothing of it by templates of its own, whatever they are
// called, as their names are global.
func TestHelmDependency(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(root, "deploy", "chart", "templates", "_*.tpl"))
	must(t, err)
	var own [][]string
	for _, file := range files {
		templates, err := os.ReadFile(file)
		must(t, err)
		own = append(own, regexp.MustCompile(`define "(?:storageos-volume-sync\.)?([^"]+)"`).FindAllStringSubmatch(string(templates), -1)...)
	}
	if len(own) < 10 {
		t.Fatalf("the chart has only the templates %q", own)
	}
	var theirs strings.Builder
	for _, name := range own {
		fmt.Fprintf(&theirs, "{{- define %q }}theirs{{ end }}\n", name[1])
	}
	folder := t.TempDir()
	must(t, os.CopyFS(filepath.Join(folder, "charts", "storageos-volume-sync"), os.DirFS(filepath.Join(root, "deploy", "chart"))))
	must(t, os.Mkdir(filepath.Join(folder, "templates"), 0o700))
	must(t, os.WriteFile(filepath.Join(folder, "templates", "_helpers.tpl"), []byte(theirs.String()), 0o600))
	must(t, os.WriteFile(filepath.Join(folder, "Chart.yaml"), []byte("{apiVersion: v2, name: umbrella, version: 1.0.0}\n"), 0o600))
	source := regexp.MustCompile(`(?m)^# Source: .*\n`)
	for _, helm := range []string{"helm4", "helm3"} {
		var rendered []string
		for _, chart := range []string{"deploy/chart", folder} {
			out, err := helmOn(t, helm, "template", "x", chart, "--namespace", namespace, "--kube-version", "1.31")
			if err != nil {
				t.Fatalf("%s with %s: %v\n%s", helm, chart, err, out)
			}
			rendered = append(rendered, source.ReplaceAllString(out, ""))
		}
		alone := strings.Split(rendered[0], "\n")
		for n, line := range strings.Split(rendered[1], "\n") {
			if !slices.Contains(alone, line) {
				t.Errorf("%s renders as a dependency what it does not render alone, line %d: %s", helm, n, line)
			}
		}
		if len(rendered[0]) != len(rendered[1]) {
			t.Errorf("%s renders %d bytes alone, %d as a dependency", helm, len(rendered[0]), len(rendered[1]))
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
