package app

import (
	"bytes"
	"strings"
	"testing"

	"github.com/storageos/volume-sync-controller/pkg/version"
)

// What ends before anything is started. The rest is in process_test.go.
func TestMainEnds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args   []string
		code   int
		stdout string // what it begins with; "": it is empty
		stderr string // what its only line names; "": it is empty
	}{
		"help":    {[]string{"-h"}, exitOK, "volume-sync-controller keeps", ""},
		"version": {[]string{"-version"}, exitOK, version.String() + "\n", ""},
		"the version, although a value makes no sense": {[]string{"--version", "-workers=0"}, exitOK, version.String() + "\n", ""},

		"a value that cannot be read": {[]string{"-version", "-workers=many"}, exitUsage, "", "-workers"},
		"a value that makes no sense": {[]string{"-max-orphan-percent=300"}, exitUsage, "", "-max-orphan-percent"},
		"no such flag":                {[]string{"-nonsense"}, exitUsage, "", "-nonsense"},
		"an argument":                 {[]string{"start"}, exitUsage, "", `"start"`},
		"no such kubeconfig":          {[]string{"-kubeconfig", "/does/not/exist"}, exitUsage, "", "-kubeconfig"},
		"a path of two lines":         {[]string{"-kubeconfig", "/does/not\nexist"}, exitUsage, "", "/does/not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			if code := Main(tc.args, &stdout, &stderr); code != tc.code {
				t.Errorf("exit code %d, want %d", code, tc.code)
			}
			if out := stdout.String(); !strings.HasPrefix(out, tc.stdout) || (out == "") != (tc.stdout == "") {
				t.Errorf("stdout: %q", out)
			}
			text := stderr.String()
			if tc.stderr == "" && text != "" ||
				tc.stderr != "" && (!strings.Contains(text, tc.stderr) || strings.Index(text, "\n") != len(text)-1) {
				t.Errorf("stderr: %q, want a line that names %s", text, tc.stderr)
			}
		})
	}
}
