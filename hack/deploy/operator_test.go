package deploy

import (
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"sigs.k8s.io/yaml"
)

// What is for the Prometheus operator is made of the fields that it knows, by its own
// types.
func TestOperator(t *testing.T) {
	t.Parallel()
	all := kustomized(t, "service-monitor", "prometheus-rule")
	var monitor monitoringv1.ServiceMonitor
	known(t, all["ServiceMonitor storageos/storageos-volume-sync"], &monitor)
	if monitor.APIVersion != "monitoring.coreos.com/v1" || len(monitor.Spec.Endpoints) != 1 {
		t.Errorf("the ServiceMonitor has %d endpoints of %s", len(monitor.Spec.Endpoints), monitor.APIVersion)
	}
	service := all["Service storageos/storageos-volume-sync"]
	if len(monitor.Spec.Selector.MatchLabels) == 0 {
		t.Error("the ServiceMonitor selects every Service")
	}
	for name, value := range monitor.Spec.Selector.MatchLabels {
		if service.at("metadata", "labels", name) != value {
			t.Errorf("the ServiceMonitor wants a label %s=%s, the Service has %v", name, value, service.at("metadata", "labels", name))
		}
	}
	port := false
	for i := 0; service.at("spec", "ports", i) != nil; i++ {
		port = port || service.at("spec", "ports", i, "name") == monitor.Spec.Endpoints[0].Port
	}
	if !port {
		t.Errorf("the Service has no port %q", monitor.Spec.Endpoints[0].Port)
	}
	var rule monitoringv1.PrometheusRule
	known(t, all["PrometheusRule storageos/storageos-volume-sync"], &rule)
	if rule.APIVersion != "monitoring.coreos.com/v1" || len(rule.Spec.Groups) == 0 {
		t.Errorf("the PrometheusRule has %d groups of %s", len(rule.Spec.Groups), rule.APIVersion)
	}
}

// known reads a manifest into a type that has to know every field of it.
func known(t *testing.T, o object, into any) {
	t.Helper()
	if o == nil {
		t.Fatalf("there is no %T", into)
	}
	text, err := yaml.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(text, into); err != nil {
		t.Errorf("%T: %v", into, err)
	}
}
