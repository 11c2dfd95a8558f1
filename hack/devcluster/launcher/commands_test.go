package launcher

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAssets(t *testing.T) {
	for name, tc := range map[string]struct {
		programs []string
		mode     os.FileMode
		err      string
		manager  bool
	}{
		"as downloaded":           {[]string{"etcd", "kube-apiserver", "kubectl"}, 0o755, "", false},
		"with controller manager": {[]string{"etcd", "kube-apiserver", "kube-controller-manager"}, 0o755, "", true},
		"no etcd":                 {[]string{"kube-apiserver"}, 0o755, "there is no program etcd in ", false},
		"no API server":           {[]string{"etcd"}, 0o755, "there is no program kube-apiserver in ", false},
		"no programs":             {[]string{"etcd", "kube-apiserver"}, 0o644, "there is no program ", false},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			for _, p := range tc.programs {
				if err := os.WriteFile(filepath.Join(folder, p), nil, tc.mode); err != nil {
					t.Fatal(err)
				}
			}
			t.Setenv(assetsVariable, folder)
			c, ok, err := Assets()
			if !ok || tc.err == "" && err != nil || tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)) {
				t.Fatalf("set %v, error %v, want %q", ok, err, tc.err)
			}
			if (c.ControllerManager != nil) != tc.manager {
				t.Errorf("controller manager %q", c.ControllerManager)
			}
		})
	}
	t.Setenv(assetsVariable, "")
	if _, ok, err := Assets(); ok || err != nil {
		t.Errorf("not set: %v, %v", ok, err)
	}
}
