package app

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"k8s.io/klog/v2"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller"
)

const root = "../../../"

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(root + path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What the program can be told and can say is in the documents.
func TestDocumented(t *testing.T) {
	t.Parallel()
	readme, operations := read(t, "README.md"), read(t, "docs/operations.md")
	klogs := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(klogs)
	(&options{}).flagSet().VisitAll(func(f *flag.Flag) {
		if klogs.Lookup(f.Name) == nil && !strings.Contains(readme, "`-"+f.Name+"`") {
			t.Errorf("the README does not explain -%s", f.Name)
		}
	})
	for _, word := range []string{
		controller.EventMissing, controller.EventFound, controller.EventDegraded, controller.EventOffline, controller.EventHealthy,
		controller.EventUnclaimed, controller.EventNameConflict, controller.EventHeld, controller.EventResumed, controller.EventInvalid,
		v1.ConditionPresent, v1.ConditionBound, v1.ConditionHealthy,
		controller.ReasonListed, controller.ReasonNotListed, controller.ReasonBound, controller.ReasonNoPersistentVolume, controller.ReasonUnclaimed,
		string(v1.HealthHealthy), string(v1.HealthDegraded), string(v1.HealthOffline), string(v1.HealthUnknown),
	} {
		if !strings.Contains(operations, "`"+word+"`") {
			t.Errorf("docs/operations.md does not explain %s", word)
		}
	}
	alerts := regexp.MustCompile(`(?m)^ +- alert: (\w+)$`).FindAllStringSubmatch(read(t, "deploy/components/prometheus-rule/prometheus-rule.yaml"), -1)
	if len(alerts) < 10 {
		t.Errorf("only %d alerts", len(alerts))
	}
	for _, a := range alerts {
		if !strings.Contains(operations, "\n### "+a[1]+"\n\n") {
			t.Errorf("docs/operations.md does not explain the alert %s", a[1])
		}
	}
}

// The chart refuses flags that the program has not, and those without the value that they need, and no other.
func TestFlagsOfChart(t *testing.T) {
	t.Parallel()
	var flags []string
	(&options{}).flagSet().VisitAll(func(f *flag.Flag) {
		name := f.Name
		if alone, ok := f.Value.(interface{ IsBoolFlag() bool }); !ok || !alone.IsBoolFlag() {
			name += "="
		}
		flags = append(flags, name)
	})
	want := `{{- define "storageos-volume-sync.flags" -}}` + "\n" + strings.Join(flags, " ") + "\n"
	if checks := read(t, "deploy/chart/templates/_checks.tpl"); !strings.Contains(checks, want) {
		t.Errorf("deploy/chart/templates/_checks.tpl has not\n%s", want)
	}
}

// Flags that the documents name are there.
func TestDocumentsAreTrue(t *testing.T) {
	t.Parallel()
	flags := (&options{}).flagSet()
	for _, path := range []string{"README.md", "docs/operations.md"} {
		text := read(t, path)
		for _, m := range regexp.MustCompile("`-([a-z][a-z-]+)[=`]").FindAllStringSubmatch(text, -1) {
			if flags.Lookup(m[1]) == nil && m[1] != "help" {
				t.Errorf("%s names a flag -%s, which does not exist", path, m[1])
			}
		}
	}
}
