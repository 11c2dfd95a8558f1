package integration

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"sigs.k8s.io/yaml"
)

// expressions are those of the dashboard and the alerts.
func expressions(t *testing.T) []string {
	t.Helper()
	var all []string
	var collect func(v any)
	collect = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				collect(x)
			}
		case map[string]any:
			for key, x := range v {
				if s, ok := x.(string); ok && (key == "expr" || key == "query" && strings.HasPrefix(s, "label_values(")) {
					all = append(all, s)
				}
				collect(x)
			}
		}
	}
	for _, file := range []string{"dashboard/storageos-volume-sync.json", "prometheus-rule/prometheus-rule.yaml"} {
		raw, err := os.ReadFile("../../deploy/components/" + file)
		if err != nil {
			t.Fatal(err)
		}
		if raw, err = yaml.YAMLToJSON(raw); err != nil { // JSON is YAML
			t.Fatal(err)
		}
		var content any
		if err := json.Unmarshal(raw, &content); err != nil {
			t.Fatal(err)
		}
		before := len(all)
		if collect(content); len(all) == before {
			t.Errorf("%s has no expressions", file)
		}
	}
	return all
}

var (
	notNames = regexp.MustCompile(`"[^"]*"|\[[^\]]*\]|\b(by|on|without|ignoring|group_left|group_right) *\([^)]*\)|\b(and|or|unless|bool|namespace\))\b`)
	names    = regexp.MustCompile(`([a-zA-Z_:][a-zA-Z0-9_:]*)(\s*\()?(\{[^}]*\})?`)
	labels   = regexp.MustCompile(`([a-zA-Z_]\w*) *[=!]`)
	suffixes = regexp.MustCompile(`_(bucket|sum|count)$`)
)

// named are the metrics that an expression names, with the labels that it asks
// for.
func named(expression string) map[string][]string {
	expression = strings.ReplaceAll(expression, ", namespace)", ")") // of label_values
	found := map[string][]string{}
	for _, m := range names.FindAllStringSubmatch(notNames.ReplaceAllString(expression, ""), -1) {
		if m[2] != "" {
			continue // a function
		}
		for _, l := range labels.FindAllStringSubmatch(m[3], -1) {
			found[m[1]] = append(found[m[1]], l[1])
		}
		found[m[1]] = append(found[m[1]], "")
	}
	return found
}

// addedByScrape are labels of where a series comes from.
var addedByScrape = map[string]bool{"": true, "namespace": true, "pod": true, "job": true, "instance": true}

// knowsMetrics asks the Pods for each metric that the dashboard and the alerts
// name.
func knowsMetrics(t *testing.T, pods []*pod) {
	live := map[string][]*dto.Metric{}
	for _, p := range pods {
		resp, err := http.Get(p.url + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		for name, f := range families {
			live[name] = append(live[name], f.GetMetric()...)
		}
	}
	n := 0
	for _, expression := range expressions(t) {
		for name, labels := range named(expression) {
			n++
			series := live[name]
			if series == nil {
				series = live[suffixes.ReplaceAllString(name, "")]
			}
			if series == nil {
				t.Errorf("there is no metric %s, which is named in\n%s", name, expression)
				continue
			}
			for _, l := range labels {
				if !addedByScrape[l] && !hasLabel(series, l) {
					t.Errorf("metric %s has no label %s, which is named in\n%s", name, l, expression)
				}
			}
		}
	}
	if n < 40 {
		t.Errorf("only %d metrics are named", n)
	}
}

func hasLabel(series []*dto.Metric, name string) bool {
	for _, s := range series {
		for _, l := range s.GetLabel() {
			if l.GetName() == name {
				return true
			}
		}
	}
	return false
}
