package realtools

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

const ruleFile = "deploy/components/prometheus-rule/prometheus-rule.yaml"

// monitoring is one Prometheus and one Alertmanager.
type monitoring struct {
	t                        *testing.T
	prometheus, alertmanager string // addresses
}

// startMonitoring scrapes installations as the ServiceMonitor says and the Prometheus
// operator does, and evaluates the rules as they are shipped, as often as kube-prometheus.
func startMonitoring(t *testing.T, installations ...*installation) *monitoring {
	t.Helper()
	m := &monitoring{t, freeAddress(t), freeAddress(t)}
	dir := t.TempDir()
	write := func(file string, content any) string {
		text, err := yaml.Marshal(content)
		must(t, err)
		path := filepath.Join(dir, file)
		must(t, os.WriteFile(path, text, 0o600))
		return path
	}
	monitor := manifest(t, "deploy/components/service-monitor/service-monitor.yaml")
	port := monitor.at("spec", "endpoints", 0, "port")
	var targets []object
	for _, i := range installations {
		for n, addr := range i.pods {
			targets = append(targets, object{"targets": []string{addr}, "labels": object{
				"namespace": i.namespace, "service": name, "endpoint": port,
				"pod": fmt.Sprintf("%s-%d", name, n), "container": "volume-sync-controller",
			}})
		}
	}
	write("rules.yaml", manifest(t, ruleFile)["spec"])
	processes := []*process{start(t, exec.Command(program("alertmanager"), "--web.listen-address="+m.alertmanager, "--cluster.listen-address=",
		"--storage.path="+filepath.Join(dir, "alertmanager"), "--config.file="+write("alertmanager.yaml", object{
			"route": object{"receiver": "nobody"}, "receivers": []object{{"name": "nobody"}},
		}))), start(t, exec.Command(program("prometheus"), "--web.listen-address="+m.prometheus,
		"--storage.tsdb.path="+filepath.Join(dir, "prometheus"), "--config.file="+write("prometheus.yaml", object{
			"global":     object{"evaluation_interval": "30s"},
			"rule_files": []string{"rules.yaml"},
			"alerting":   object{"alertmanagers": []object{{"static_configs": []object{{"targets": []string{m.alertmanager}}}}}},
			"scrape_configs": []object{{
				"job_name": name, "scrape_interval": monitor.at("spec", "endpoints", 0, "interval"), "static_configs": targets,
			}},
		})))}
	var build struct{ Data struct{ Version string } }
	var status struct{ VersionInfo struct{ Version string } }
	eventually(t, "Prometheus and Alertmanager answer", 20*time.Second, func() error {
		for _, p := range processes {
			if p.hasEnded() {
				t.Fatalf("%s has ended", p.cmd.Path)
			}
		}
		if err := read("http://"+m.alertmanager+"/api/v2/status", &status); err != nil {
			return err
		}
		return read("http://"+m.prometheus+"/api/v1/status/buildinfo", &build)
	})
	t.Logf("Prometheus %s, Alertmanager %s", build.Data.Version, status.VersionInfo.Version)
	return m
}

// value is what an expression that makes one number makes now.
func (m *monitoring) value(expression string) (string, error) {
	var answer struct {
		Data struct {
			Result []struct{ Value [2]any }
		}
	}
	if err := read("http://"+m.prometheus+"/api/v1/query?query="+url.QueryEscape(expression), &answer); err != nil {
		return "", err
	}
	if len(answer.Data.Result) == 0 {
		return "", nil
	}
	return fmt.Sprint(answer.Data.Result[0].Value[1]), nil
}

// alert is one at Alertmanager.
type alert struct {
	Labels, Annotations map[string]string
}

// alerts are those that Alertmanager has now, by name and namespace.
func (m *monitoring) alerts() (map[string]alert, error) {
	var list []alert
	if err := read("http://"+m.alertmanager+"/api/v2/alerts", &list); err != nil {
		return nil, err
	}
	all := map[string]alert{}
	for _, a := range list {
		all[a.Labels["alertname"]+" "+a.Labels["namespace"]] = a
	}
	return all, nil
}

// shipped are the annotations and labels of the rules as they are shipped, by name.
func shipped(t *testing.T) map[string]alert {
	t.Helper()
	text, err := yaml.Marshal(manifest(t, ruleFile))
	must(t, err)
	var rule struct {
		Spec struct {
			Groups []struct {
				Rules []struct {
					Alert string
					alert `json:",inline"`
				}
			}
		}
	}
	must(t, yaml.Unmarshal(text, &rule))
	all := map[string]alert{}
	for _, g := range rule.Spec.Groups {
		for _, r := range g.Rules {
			all[r.Alert] = r.alert
		}
	}
	return all
}

// says compares an alert that has arrived with its rule: which page to read, how urgent it is,
// and that no template is left in what a person reads.
func (a alert) says(rule alert) error {
	if page := a.Annotations["runbook_url"]; page == "" || page != rule.Annotations["runbook_url"] {
		return fmt.Errorf("its runbook_url is %q, that of the rule %q", page, rule.Annotations["runbook_url"])
	}
	if a.Labels["severity"] == "" || a.Labels["severity"] != rule.Labels["severity"] {
		return fmt.Errorf("its severity is %q, that of the rule %q", a.Labels["severity"], rule.Labels["severity"])
	}
	for key, text := range a.Annotations {
		if text == "" || strings.Contains(text, "{{") || strings.Contains(text, "error expanding") {
			return fmt.Errorf("its %s is %q", key, text)
		}
	}
	return nil
}
