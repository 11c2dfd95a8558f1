// Package deploy checks what people apply: that the chart says the same as
// kustomize, that alerts fire when they should, and that what is for the Prometheus
// operator fits its types.
package deploy

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const (
	deployDir = "../../deploy"
	chartDir  = deployDir + "/chart"
)

// object is a manifest.
type object map[string]any

// at follows fields and, where they are numbers, lists.
func (o object) at(path ...any) any {
	var v any = map[string]any(o)
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			l, _ := v.([]any)
			if p >= len(l) {
				return nil
			}
			v = l[p]
		}
	}
	return v
}

func (o object) name() string {
	return fmt.Sprint(o.at("kind"), " ", o.at("metadata", "namespace"), "/", o.at("metadata", "name"))
}

// objects reads manifests, by name. No field comes twice, which kustomize would refuse.
func objects(t *testing.T, manifests []byte) map[string]object {
	t.Helper()
	all := map[string]object{}
	for _, doc := range strings.Split("\n"+string(manifests), "\n---") {
		var o object
		if err := yaml.UnmarshalStrict([]byte(doc), &o); err != nil {
			t.Fatalf("%v in:\n%s", err, doc)
		}
		if o == nil {
			continue
		}
		if _, double := all[o.name()]; double {
			t.Errorf("%s comes twice", o.name())
		}
		all[o.name()] = o
	}
	return all
}

// kustomized renders deploy with components added.
func kustomized(t *testing.T, components ...string) map[string]object {
	t.Helper()
	fs := filesys.MakeFsOnDisk()
	overlay := "resources: [" + deployDir + "]\n"
	if len(components) > 0 {
		overlay += "components:\n"
	}
	for _, c := range components {
		overlay += "- " + deployDir + "/components/" + c + "\n"
	}
	// Beside the others, so that the paths in it are the same.
	dir := "./" + strings.ReplaceAll(t.Name(), "/", "-") + ".overlay"
	if err := fs.MkdirAll(dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fs.RemoveAll(dir) })
	if err := fs.WriteFile(dir+"/kustomization.yaml", []byte(strings.ReplaceAll(overlay, "../../", "../../../"))); err != nil {
		t.Fatal(err)
	}
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(fs, dir)
	if err != nil {
		t.Fatal(err)
	}
	manifests, err := resources.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return objects(t, manifests)
}

func chart(t *testing.T) *chartv2.Chart {
	t.Helper()
	return chartIn(t, chartDir)
}

func chartIn(t *testing.T, dir string) *chartv2.Chart {
	t.Helper()
	c, err := loader.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	return c
}

// rendered renders the chart as `helm install -n storageos` does.
func rendered(c *chartv2.Chart, values map[string]any) ([]byte, error) {
	all, err := util.ToRenderValues(c, values, common.ReleaseOptions{
		Name: "storageos-volume-sync", Namespace: "storageos", Revision: 1, IsInstall: true,
	}, common.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(c, all)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(name, ".yaml") {
			fmt.Fprintf(&b, "---\n%s\n", files[name])
		}
	}
	return b.Bytes(), nil
}

func mustRender(t *testing.T, values map[string]any) map[string]object {
	t.Helper()
	manifests, err := rendered(chart(t), values)
	if err != nil {
		t.Fatal(err)
	}
	return objects(t, manifests)
}

// enabled are values of what is installed only if it is wanted.
var enabled = map[string]any{"enabled": true}

const crdName = "CustomResourceDefinition <nil>/volumes.api.storageos.com"

// whatHelmAdds are labels that say how an object was installed.
var whatHelmAdds = []string{
	"app.kubernetes.io/instance", "app.kubernetes.io/managed-by", "app.kubernetes.io/version", "helm.sh/chart",
}

// The chart with its own values is what kustomize makes, but for these labels.
func TestChartIsKustomize(t *testing.T) {
	for name, tc := range map[string]struct {
		components []string
		values     map[string]any
		objects    int
	}{
		"alone":        {nil, nil, 14},
		"on OpenShift": {[]string{"openshift"}, map[string]any{"openshift": true}, 14},
		"with everything": {
			[]string{"claim-events", "service-monitor", "prometheus-rule", "dashboard"},
			map[string]any{"claimEvents": true, "serviceMonitor": enabled, "prometheusRule": enabled, "dashboard": enabled}, 19,
		},
	} {
		t.Run(name, func(t *testing.T) {
			helm := mustRender(t, tc.values)
			delete(helm, crdName) // TestChartCRD
			for _, o := range helm {
				labels, _ := o.at("metadata", "labels").(map[string]any)
				for _, l := range whatHelmAdds {
					if labels[l] == nil {
						t.Errorf("%s of the chart has no label %s", o.name(), l)
					}
					delete(labels, l)
				}
			}
			want := kustomized(t, tc.components...)
			if len(want) != tc.objects {
				t.Errorf("%d objects, want %d", len(want), tc.objects)
			}
			for name := range helm {
				if want[name] == nil {
					t.Errorf("only the chart has %s", name)
				}
			}
			for name, o := range want {
				if diff := cmp.Diff(o, helm[name]); diff != "" {
					t.Errorf("%s (-kustomize +chart):\n%s", name, diff)
				}
			}
		})
	}
}

// Flux puts a value of its own, or nothing, in the place of each ${NAME}, if it is told to substitute.
func TestNothingToSubstitute(t *testing.T) {
	for name, o := range kustomized(t, "claim-events", "service-monitor", "prometheus-rule", "dashboard", "openshift") {
		if _, reference, found := strings.Cut(fmt.Sprint(o), "${"); found {
			t.Errorf("%s has ${%.20s...", name, reference)
		}
	}
}

// Each value does what it says.
func TestValues(t *testing.T) {
	container := []any{"spec", "template", "spec", "containers", 0}
	pod := []any{"spec", "template", "spec"}
	digest := "sha256:" + strings.Repeat("0f", 32)
	for name, tc := range map[string]struct {
		values map[string]any
		path   []any
		want   any
	}{
		"image":       {map[string]any{"image": map[string]any{"repository": "example/x", "tag": "v9"}}, append(container, "image"), "example/x:v9"},
		"digest":      {map[string]any{"image": map[string]any{"repository": "example/x", "tag": "v9", "digest": digest}}, append(container, "image"), "example/x@" + digest},
		"pull":        {map[string]any{"image": map[string]any{"pullPolicy": "Always"}}, append(container, "imagePullPolicy"), "Always"},
		"pull secret": {map[string]any{"imagePullSecrets": []any{map[string]any{"name": "s"}}}, append(pod, "imagePullSecrets", 0, "name"), "s"},
		"stopped":     {map[string]any{"replicas": 0}, []any{"spec", "replicas"}, 0.0},
		"replicas":    {map[string]any{"replicas": 3}, []any{"spec", "replicas"}, 3.0},
		"endpoint":    {map[string]any{"endpoint": "https://x:443"}, append(container, "args", 0), "-api-endpoint=https://x:443"},
		"IPv6":        {map[string]any{"endpoint": "[fe80::1%25eth0]:5705"}, append(container, "args", 0), "-api-endpoint=[fe80::1%25eth0]:5705"},
		"last port":   {map[string]any{"endpoint": "https://[::1]:65535/"}, append(container, "args", 0), "-api-endpoint=https://[::1]:65535/"},
		"any case":    {map[string]any{"endpoint": "HTTP://Storageos.svc./"}, append(container, "args", 0), "-api-endpoint=HTTP://Storageos.svc./"},
		"interval":    {map[string]any{"interval": "30s"}, append(container, "args", 1), "-api-poll-interval=30s"},
		"no deletion": {map[string]any{"deleteOrphans": false}, append(container, "args", 3), "-delete-orphans=false"},
		"extra args":  {map[string]any{"extraArgs": []any{"-v=4", "-workers=3"}}, append(container, "args", 4), "-workers=3"},
		"another's":   {map[string]any{"extraArgs": []any{"-new"}, "image": map[string]any{"tag": "v9"}}, append(container, "args", 3), "-new"},
		"secret":      {map[string]any{"secretName": "other"}, append(pod, "volumes", 0, "secret", "secretName"), "other"},
		"resources":   {map[string]any{"resources": map[string]any{"limits": map[string]any{"memory": "1Gi"}}}, append(container, "resources", "limits", "memory"), "1Gi"},
		"node":        {map[string]any{"nodeSelector": map[string]any{"a": "b"}}, append(pod, "nodeSelector", "a"), "b"},
		"tolerations": {map[string]any{"tolerations": []any{map[string]any{"key": "k"}}}, append(pod, "tolerations", 0, "key"), "k"},
		"priority":    {map[string]any{"priorityClassName": "p"}, append(pod, "priorityClassName"), "p"},
		"port":        {map[string]any{"metricsPort": 9090}, append(container, "ports", 0, "containerPort"), 9090.0},
		"port's flag": {map[string]any{"metricsPort": 9090}, append(container, "args", 3), "-metrics-addr=:9090"},
		"label":       {map[string]any{"podLabels": map[string]any{"team": "a"}}, []any{"spec", "template", "metadata", "labels", "team"}, "a"},
		"label of the chart": {map[string]any{"podLabels": map[string]any{"app.kubernetes.io/part-of": "a"}},
			[]any{"spec", "template", "metadata", "labels", "app.kubernetes.io/part-of"}, "a"},
		"a dependency": {map[string]any{"enabled": true}, []any{"spec", "replicas"}, 2.0},
		"registry":     {map[string]any{"image": map[string]any{"repository": "localhost:5000/a/b-c__d"}}, append(container, "image"), "localhost:5000/a/b-c__d:v0.1.0"},
		"bytes":        {map[string]any{"resources": map[string]any{"limits": map[string]any{"memory": "268435456"}}}, append(container, "resources", "limits", "memory"), "268435456"},
		"fraction":     {map[string]any{"resources": map[string]any{"limits": map[string]any{"memory": "0.5Gi"}}}, append(container, "resources", "limits", "memory"), "0.5Gi"},
		"annotation":   {map[string]any{"podAnnotations": map[string]any{"a": "b"}}, []any{"spec", "template", "metadata", "annotations", "a"}, "b"},
		"default container": {map[string]any{"podAnnotations": map[string]any{"kubectl.kubernetes.io/default-container": "b"}},
			[]any{"spec", "template", "metadata", "annotations", "kubectl.kubernetes.io/default-container"}, "b"},
		"no user":          {map[string]any{"securityContext": nil}, append(pod, "securityContext"), nil},
		"another user":     {map[string]any{"securityContext": map[string]any{"runAsUser": 7}}, append(pod, "securityContext", "runAsUser"), 7.0},
		"user is the node": {map[string]any{"securityContext": map[string]any{"runAsUser": nil, "runAsGroup": nil}}, append(pod, "securityContext", "runAsUser"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := mustRender(t, tc.values)["Deployment storageos/storageos-volume-sync"].at(tc.path...)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if all := mustRender(t, map[string]any{"networkPolicy": false}); all["NetworkPolicy storageos/storageos-volume-sync"] != nil {
		t.Error("there is a NetworkPolicy although none was wanted")
	}
	if all := mustRender(t, map[string]any{"metricsPort": 9090}); all["Service storageos/storageos-volume-sync"].at("spec", "ports", 0, "port") != 9090.0 {
		t.Error("the Service has another port than the metrics")
	}
}

// Whoever packs the chart may add the digest of what it was made of to its version, as Flux does.
func TestVersionWithBuild(t *testing.T) {
	c := chart(t)
	c.Metadata.Version = "0.1.0+" + strings.Repeat("0f", 32)
	manifests, err := rendered(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	label := regexp.MustCompile(`^[A-Za-z0-9][-A-Za-z0-9_.]{0,61}[A-Za-z0-9]$`)
	for _, o := range objects(t, manifests) {
		if is := fmt.Sprint(o.at("metadata", "labels", "helm.sh/chart")); !label.MatchString(is) {
			t.Errorf("%s has the label %s", o.name(), is)
		}
	}
}

// Who looks for objects by labels of his own finds them.
func TestValuesLabels(t *testing.T) {
	labelled := map[string]any{"enabled": true, "labels": map[string]any{"release": "stack", "app.kubernetes.io/part-of": "monitoring"}}
	all := mustRender(t, map[string]any{"serviceMonitor": labelled, "prometheusRule": labelled, "dashboard": labelled})
	for _, name := range []string{
		"ServiceMonitor storageos/storageos-volume-sync", "PrometheusRule storageos/storageos-volume-sync", "ConfigMap storageos/storageos-volume-sync-dashboard",
	} {
		for label, want := range map[string]string{"release": "stack", "app.kubernetes.io/part-of": "monitoring", "app.kubernetes.io/name": "storageos-volume-sync"} {
			if got := all[name].at("metadata", "labels", label); got != want {
				t.Errorf("label %s of %s is %v, want %s", label, name, got, want)
			}
		}
	}
	if got := all["ConfigMap storageos/storageos-volume-sync-dashboard"].at("metadata", "labels", "grafana_dashboard"); got != "1" {
		t.Errorf("Grafana's sidecar looks for grafana_dashboard: 1, not %v", got)
	}
}

// A value that does not exist, or that makes no sense, is refused.
func TestBadValues(t *testing.T) {
	for name, values := range map[string]map[string]any{
		"unknown":            {"replicaCount": 3},
		"fewer than none":    {"replicas": -1},
		"no port at all":     {"endpoint": "storageos:0"},
		"name with two dots": {"endpoint": "storageos..:5705"},
		"hyphen at its end":  {"endpoint": "https://storageos-"},
		"three bytes":        {"endpoint": "http://10.0.1:5705"},
		"large byte":         {"endpoint": "10.0.0.256"},
		"leading zero":       {"endpoint": "10.0.0.01/"},
		"port of a user":     {"endpoint": "http://storageos:65536/"},
		"port beyond":        {"endpoint": "[::1]:99999"},
		"no secret":          {"secretName": ""},
		"secret's file":      {"secretName": "storageos_api"},
		"flag mistyped":      {"extraArgs": []any{"-worker=3"}},
		"flag and value":     {"extraArgs": []any{"-workers 3"}},
		"flag alone":         {"extraArgs": []any{"-workers"}},
		"no flag's name":     {"extraArgs": []any{"--"}},
		"three hyphens":      {"extraArgs": []any{"---v=4"}},
		"file elsewhere":     {"extraArgs": []any{"-kubeconfig=/x"}},
		"page on that port":  {"extraArgs": []any{"-status-addr=:8080"}},
		"no interval":        {"interval": "often"},
		"interval 0":         {"interval": "0s"},
		"interval 0.0":       {"interval": "0m0.0s"},
		"no quantity":        {"resources": map[string]any{"limits": map[string]any{"memory": "banana"}}},
		"node of a number":   {"nodeSelector": map[string]any{"disk": 1}},
		"no label":           {"podLabels": map[string]any{"a b": "c"}},
		"label that selects": {"podLabels": map[string]any{"app.kubernetes.io/name": "a"}},
		"tag in the name":    {"image": map[string]any{"repository": "example/x:v1"}},
		"digest in it":       {"image": map[string]any{"repository": "example/x@sha256:0f"}},
		"no name":            {"image": map[string]any{"repository": "Example/X Y"}},
		"comment in a tag":   {"image": map[string]any{"tag": "v1 #x"}},
		"field in a tag":     {"image": map[string]any{"tag": "v1\n        command: [sh]"}},
		"millibytes":         {"resources": map[string]any{"limits": map[string]any{"memory": "256m"}}},
		"no bytes":           {"resources": map[string]any{"limits": map[string]any{"memory": "0"}}},
		"few bytes":          {"resources": map[string]any{"limits": map[string]any{"memory": 256}}},
		"another namespace":  {"extraArgs": []any{"-namespace=x"}},
		"not a dependency":   {"enabled": false},
		"port of its own":    {"extraArgs": []any{"-metrics-addr=:9090"}},
		"endpoint twice":     {"extraArgs": []any{"--api-endpoint=x"}},
		"deletion twice":     {"extraArgs": []any{"-delete-orphans"}, "deleteOrphans": false},
		"deletion unsaid":    {"extraArgs": []any{"-delete-orphans=false"}},
		"no digest":          {"image": map[string]any{"digest": "0f0f"}},
		"no resources":       {"resources": nil},
		"no port":            {"metricsPort": 80},
		"the page's port":    {"metricsPort": 8081},
		"monitor as before":  {"serviceMonitor": true},
		"no limit":           {"resources": map[string]any{"limits": map[string]any{"memory": nil}}},
		"no endpoint":        {"endpoint": ""},
		"endpoint with path": {"endpoint": "http://storageos/v2"},
		"unset endpoint":     {"endpoint": "$(STORAGEOS_HOST)"},
		"endpoint of a user": {"endpoint": "https://admin:secret@storageos"},
		"pull secret's name": {"imagePullSecrets": []any{map[string]any{"nam": "s"}}},
		"toleration's field": {"tolerations": []any{map[string]any{"efect": "NoExecute"}}},
		"user's field":       {"securityContext": map[string]any{"runAsuser": 1}},
		"not a flag":         {"extraArgs": []any{"delete-orphans"}},
		"image as one":       {"image": "example/x:v9"},
	} {
		t.Run(name, func(t *testing.T) {
			if out, err := rendered(chart(t), values); err == nil {
				t.Errorf("it was rendered:\n%s", out)
			}
		})
	}
}

// The chart brings the CRD that kustomize brings, and leaves it when it goes itself.
func TestChartCRD(t *testing.T) {
	text, err := os.ReadFile(deployDir + "/crd/api.storageos.com_volumes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want, got := objects(t, text)[crdName], mustRender(t, nil)[crdName]
	if got == nil {
		t.Fatal("there is none")
	}
	metadata := got.at("metadata").(map[string]any)
	annotations := metadata["annotations"].(map[string]any)
	if annotations["helm.sh/resource-policy"] != "keep" {
		t.Error("with the release all records would go")
	}
	delete(metadata, "labels")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-kustomize +chart):\n%s", diff)
	}
	without := mustRender(t, map[string]any{"crds": map[string]any{"enabled": false}})
	for _, all := range []map[string]object{kustomized(t), without} {
		for name := range all {
			if strings.HasPrefix(name, "CustomResourceDefinition") || strings.HasPrefix(name, "Namespace") {
				t.Errorf("what removes the controller would remove %s", name)
			}
		}
	}
}

// Packed by who takes regular files only, and unpacked elsewhere, it renders the same.
func TestChartPacked(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "storageos-volume-sync")
	err := filepath.WalkDir(chartDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(chartDir, path)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, rel)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		return os.WriteFile(to, text, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]any{"serviceMonitor": enabled, "prometheusRule": enabled, "dashboard": enabled}
	got, err := rendered(chartIn(t, dir), values)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(mustRender(t, values), objects(t, got)); diff != "" {
		t.Errorf("(-here +packed):\n%s", diff)
	}
	for _, lost := range []string{"api.storageos.com_volumes.yaml", "prometheus-rule.yaml", "storageos-volume-sync.json"} {
		c := chartIn(t, dir)
		c.Files = slices.DeleteFunc(c.Files, func(f *common.File) bool { return f.Name == "files/"+lost })
		if _, err := rendered(c, values); err == nil || !strings.Contains(err.Error(), "lacks files/"+lost) {
			t.Errorf("without %s: %v", lost, err)
		}
	}
}

// The image that kustomize names is the chart's.
func TestVersion(t *testing.T) {
	c := chart(t)
	if got, want := "v"+c.Metadata.Version, c.Metadata.AppVersion; got != want {
		t.Errorf("the chart is %s, the program %s", got, want)
	}
}
