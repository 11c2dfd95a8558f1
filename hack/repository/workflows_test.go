package repository

import (
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rhysd/actionlint"
)

// lint says what is wrong with a workflow.
func lint(t *testing.T, name, text string) []string {
	t.Helper()
	linter, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{WorkingDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	// It knows the inputs of each action by its major version.
	major := regexp.MustCompile(`(uses: \S+@v\d+)\.\S+`).ReplaceAllString(text, "$1")
	errs, err := linter.Lint(name, []byte(major), nil)
	if err != nil {
		t.Fatal(err)
	}
	var wrong []string
	for _, e := range errs {
		wrong = append(wrong, fmt.Sprintf("%s:%d: %s", name, e.Line, e.Message))
	}
	for _, m := range regexp.MustCompile(`uses: (\S+)`).FindAllStringSubmatch(text, -1) {
		if !regexp.MustCompile(`@(v\d+\.\d+\.\d+|[0-9a-f]{40})$`).MatchString(m[1]) {
			wrong = append(wrong, name+": "+m[1]+" is pinned neither to a version nor to a commit")
		}
	}
	targets := read(t, "Makefile")
	for _, m := range regexp.MustCompile(`(?m)^ *(?:- )?run: .*\bmake ([a-z][a-z-]*)`).FindAllStringSubmatch(text, -1) {
		if !regexp.MustCompile(`(?m)^` + m[1] + `:`).MatchString(targets) {
			wrong = append(wrong, name+": the Makefile makes no "+m[1])
		}
	}
	return wrong
}

// Workflows are what their host understands, and call what is there.
func TestWorkflows(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(root + "/.github/workflows/*")
	if err != nil || len(files) < 2 {
		t.Fatalf("workflows: %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			for _, wrong := range lint(t, file, read(t, strings.TrimPrefix(file, root))) {
				t.Error(wrong)
			}
		})
	}
}

// Each kind of mistake is seen.
func TestWorkflowMistakes(t *testing.T) {
	t.Parallel()
	ci := read(t, ".github/workflows/ci.yml")
	for name, tc := range map[string]struct{ is, becomes string }{
		"a key that is not one":     {"runs-on:", "run-on:"},
		"a context that is not one": {"github.ref", "githb.ref"},
		"no such runner":            {"ubuntu-24.04", "ubuntu-24.40"},
		"an event that is not one":  {"pull_request:", "pull_requests:"},
		"an action in any version":  {"actions/checkout@v5.0.0", "actions/checkout@main"},
		"no such target":            {"make vulncheck", "make vulnchek"},
		"an input that is not one":  {"fetch-depth:", "fetch-dept:"},
		"a right that is not one":   {"contents: read", "content: read"},
		"a cron that is not one":    {"17 4 * * 1", "17 4 * *"},
		"not YAML":                  {"jobs:", "jobs: ["},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(ci, tc.is) {
				t.Fatalf("the workflow has no %q", tc.is)
			}
			if len(lint(t, "ci.yml", strings.ReplaceAll(ci, tc.is, tc.becomes))) == 0 {
				t.Error("it was not seen")
			}
		})
	}
}
