package realtools

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

const otherValues = "hack/realtools/testdata/values.yaml"

// shown is where a value is to be seen in the cluster, and what is seen there.
type shown struct {
	object string
	path   []any
	want   string
}

// inDeployment, inPod and inContainer are where most values are to be seen.
func inDeployment(want string, path ...any) shown { return shown{"deployment/" + name, path, want} }

func inPod(want string, path ...any) shown {
	return inDeployment(want, append([]any{"spec", "template"}, path...)...)
}

func inContainer(want string, path ...any) shown {
	return inPod(want, append([]any{"spec", "containers", 0}, path...)...)
}

// everyValue is what otherValues make of an installation.
var everyValue = map[string]shown{
	"image.repository":      inContainer("registry.example.com/volume-sync-controller:v9.9.9", "image"),
	"image.tag":             inContainer("registry.example.com/volume-sync-controller:v9.9.9", "image"),
	"image.pullPolicy":      inContainer("Always", "imagePullPolicy"),
	"imagePullSecrets":      inPod("[map[name:registry]]", "spec", "imagePullSecrets"),
	"replicas":              inDeployment("3", "spec", "replicas"),
	"endpoint":              inContainer("-api-endpoint=https://storageos.example.com", "args", 0),
	"secretName":            inPod("storageos-user", "spec", "volumes", 0, "secret", "secretName"),
	"interval":              inContainer("-api-poll-interval=2s", "args", 1),
	"metricsPort":           inContainer("-metrics-addr=:9090", "args", 3),
	"deleteOrphans":         inContainer("-delete-orphans=false", "args", 4),
	"claimEvents":           {"clusterrolebinding/" + name + "-claim-events", []any{"subjects", 0, "name"}, name},
	"extraArgs":             inContainer("-workers=3", "args", 7),
	"podLabels":             inPod("map[app.kubernetes.io/component:controller app.kubernetes.io/name:"+name+" app.kubernetes.io/part-of:storageos team:storage]", "metadata", "labels"),
	"podAnnotations":        inPod("map[example.com/on-call:storage kubectl.kubernetes.io/default-container:volume-sync-controller]", "metadata", "annotations"),
	"securityContext":       inPod("map[fsGroup:3000 runAsGroup:2000 runAsNonRoot:false runAsUser:1000 seccompProfile:map[type:Unconfined]]", "spec", "securityContext"),
	"resources":             inContainer("map[limits:map[memory:512Mi] requests:map[cpu:100m memory:256Mi]]", "resources"),
	"nodeSelector":          inPod("map[disk:ssd]", "spec", "nodeSelector"),
	"tolerations":           inPod("[map[key:storage operator:Exists]]", "spec", "tolerations"),
	"priorityClassName":     inPod("system-node-critical", "spec", "priorityClassName"),
	"networkPolicy":         {"networkpolicy/" + name, []any{"kind"}, "<nil>"},
	"serviceMonitor.labels": {"servicemonitor/" + name, []any{"metadata", "labels", "release"}, "monitor"},
	"prometheusRule.labels": {"prometheusrule/" + name, []any{"metadata", "labels", "release"}, "rule"},
	"dashboard.labels":      {"configmap/" + name + "-dashboard", []any{"metadata", "labels", "grafana_dashboard"}, "2"},

	"serviceMonitor.enabled": {"servicemonitor/" + name, []any{"kind"}, "ServiceMonitor"},
	"prometheusRule.enabled": {"prometheusrule/" + name, []any{"kind"}, "PrometheusRule"},
	"dashboard.enabled":      {"configmap/" + name + "-dashboard", []any{"metadata", "labels", "team"}, "storage"},
}

// showsEveryValue checks that Kubernetes has of an installation with otherValues what they say,
// and has made Pods of it.
func (w *world) showsEveryValue() {
	w.t.Helper()
	objects := map[string]object{}
	for value, s := range everyValue {
		if _, read := objects[s.object]; !read {
			objects[s.object] = w.get("-n", namespace, s.object)
		}
		if got := fmt.Sprint(objects[s.object].at(s.path...)); got != s.want {
			w.t.Errorf("%s: %v of %s is %s, not %s", value, s.path, s.object, got, s.want)
		}
	}
	if port := w.get("-n", namespace, "service", name).at("spec", "ports", 0, "port"); fmt.Sprint(port) != "9090" {
		w.t.Errorf("the Service has the port %v", port)
	}
	eventually(w.t, "there are the Pods", 30*time.Second, func() error {
		pods, _ := w.get("-n", namespace, "pods", "-l", "team=storage,app.kubernetes.io/name="+name).at("items").([]any)
		for _, pod := range pods {
			if got := object(pod.(map[string]any)).at("metadata", "annotations", "example.com/on-call"); got != "storage" {
				return fmt.Errorf("a Pod has the annotation %v", got)
			}
		}
		if len(pods) != 3 {
			return fmt.Errorf("there are %d", len(pods))
		}
		return nil
	})
}

// No value is forgotten: of each there is another than the chart's own, and where it is seen.
func TestValuesOfAll(t *testing.T) {
	t.Parallel()
	own, other := manifest(t, "deploy/chart/values.yaml"), manifest(t, otherValues)
	told := map[string]bool{"crds.enabled": true, "image.digest": true, "openshift": true} // overOlderChart and release tell of them
	for value := range everyValue {
		path := []any{}
		for _, field := range strings.Split(value, ".") {
			path = append(path, field)
		}
		is := own.at(path...)
		if reflect.DeepEqual(is, other.at(path...)) {
			t.Errorf("%s has %v of the chart's own", value, is)
		}
		told[value] = true
	}
	for field, is := range own {
		values := []string{field}
		if parts, ok := is.(map[string]any); ok && !told[field] {
			values = nil
			for part := range parts {
				values = append(values, field+"."+part)
			}
		}
		for _, value := range values {
			if !told[value] {
				t.Errorf("nobody sees what becomes of %s", value)
			}
		}
	}
}
