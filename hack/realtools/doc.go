// Package realtools runs the tools that people install and watch the controller with on
// what is shipped: Helm 4 and Helm 3 on the chart, Prometheus and Alertmanager on the
// alerts, against real control planes and simulated StorageOS clusters. What is rendered
// and how rules compute hack/deploy tests; here it is seen what becomes of it.
// `make test-tools` brings what it needs and runs it.
package realtools
