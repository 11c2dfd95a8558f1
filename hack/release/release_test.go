package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"helm.sh/helm/v4/pkg/chart/v2/loader"
)

func TestSemantic(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{
		"v1.2.3":                  "1.2.3",
		"v1.2.3-rc.1":             "1.2.3-rc.1",
		"v1.2.3-4-g0123abc":       "1.2.3-4-g0123abc",
		"0123456":                 "0.0.0-g0123456",
		"f9fd7cf-dirty":           "0.0.0-gf9fd7cf-dirty",
		"v1":                      "0.0.0-gv1",
		"v1.2.3-4-g0123abc-dirty": "1.2.3-4-g0123abc-dirty",
	} {
		if got := semantic(version); got != want {
			t.Errorf("%s is %s, want %s", version, got, want)
		}
	}
}

// A commit without a tag, and a registry of one's own, are named wherever the image is.
func TestUntagged(t *testing.T) {
	t.Parallel()
	r := release{version: "0123abc", image: "localhost:5000/sync", source: root, out: t.TempDir(), time: time.Unix(releasedAt, 0)}
	for _, step := range []func() error{r.manifests, r.chart} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	c, err := loader.Load(r.file("storageos-volume-sync-0.0.0-g0123abc.tgz"))
	if err != nil {
		t.Fatal(err)
	}
	image := c.Values["image"].(map[string]any)
	if image["repository"] != r.image || c.Metadata.AppVersion != r.version {
		t.Errorf("the chart installs %s:%s", image["repository"], c.Metadata.AppVersion)
	}
	if text, err := os.ReadFile(r.file("install.yaml")); err != nil || strings.Count(string(text), "image: localhost:5000/sync:0123abc\n") != 1 {
		t.Errorf("install.yaml does not install %s:%s: %v", r.image, r.version, err)
	}
}

// What is missing is said, not left out.
func TestRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		epoch, args, want string
	}{
		"no version": {"1", "-image x -url y", "-version, -image and -url are needed"},
		"no time":    {"", "-image x -url y -version v1.2.3", "SOURCE_DATE_EPOCH"},
		"no images":  {"1", "-image x -url y -version v1.2.3 -source " + root + " -o " + t.TempDir(), "image index: open"},
		"no deploy":  {"1", "-image x -url y -version v1.2.3 -source " + t.TempDir(), "manifests: lstat"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("SOURCE_DATE_EPOCH", tc.epoch)
			if err := run(strings.Fields(tc.args)); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}
