package record

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRecordNames(t *testing.T) {
	t.Parallel()
	const id = "c6066eef-2b51-435f-8a7f-516c34dfa082"
	long := strings.Repeat("a", 253)
	for name, tc := range map[string]struct {
		volume string
		labels map[string]string
		pv     string // whose handle names the volume
		others string // a PersistentVolume that belongs to another
		want   []string
	}{
		"made by CSI":                    {"pvc-1", map[string]string{LabelPV: "pvc-1"}, "", "", []string{"pvc-1", "pvc-1-c6066eef", "pvc-1-" + id}},
		"made by hand":                   {"scratch", nil, "", "", []string{"scratch", "scratch-c6066eef", "scratch-" + id}},
		"no legal name":                  {"-My..Disk.-", nil, "", "", []string{"my.disk-c6066eef", "my.disk-" + id}},
		"nothing legal":                  {"...", nil, "", "", []string{"volume-c6066eef", "volume-" + id}},
		"an illegal label":               {"a", map[string]string{LabelPV: "A/B"}, "", "", []string{"a", "a-c6066eef", "a-" + id}},
		"as long as can be":              {long, nil, "", "", []string{long, long[:244] + "-c6066eef", long[:216] + "-" + id}},
		"cut at a dot":                   {long[:243] + ".bbbbbbbbb", nil, "", "", []string{long[:243] + ".bbbbbbbbb", long[:243] + "-c6066eef", long[:216] + "-" + id}},
		"of a PersistentVolume":          {"a", nil, "static", "", []string{"static", "a", "a-c6066eef", "a-" + id}},
		"of another than the label says": {"a", map[string]string{LabelPV: "pvc-1"}, "static", "", []string{"static", "pvc-1", "a", "a-c6066eef", "a-" + id}},
		"the label is another's":         {"pvc-2", map[string]string{LabelPV: "pvc-1"}, "", "pvc-1", []string{"pvc-2", "pvc-2-c6066eef", "pvc-2-" + id}},
		"the label and the name are":     {"pvc-1", map[string]string{LabelPV: "pvc-1"}, "", "pvc-1", []string{"pvc-1-c6066eef", "pvc-1-" + id}},
		"all of them one":                {"pvc-1", map[string]string{LabelPV: "pvc-1"}, "pvc-1", "", []string{"pvc-1", "pvc-1-c6066eef", "pvc-1-" + id}},
		"an illegal PersistentVolume":    {"a", nil, "A/B", "", []string{"a", "a-c6066eef", "a-" + id}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := Names(id, tc.volume, tc.labels, tc.pv, func(name string) bool { return name != "" && name == tc.others })
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
		})
	}
}
