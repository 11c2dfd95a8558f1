package repository

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/Masterminds/semver/v3"
)

var (
	versionLine = regexp.MustCompile(`^## (\d+\.\d+\.\d+)( \(unreleased\)| \(\d{4}-\d{2}-\d{2}\))?$`)
	linked      = regexp.MustCompile(`\]\(([^)#:]+)[^):]*\)`)
	parts       = []string{"New:", "Changed:", "Mended:", "Removed:"}
)

// changes reads a changelog: its versions, the newest first. Each says something.
func changes(text string) ([]*semver.Version, error) {
	var versions []*semver.Version
	var errs []error
	wrong := func(n int, format string, args ...any) {
		errs = append(errs, fmt.Errorf("line %d: "+format, append([]any{n + 1}, args...)...))
	}
	said, item := true, ""
	ends := func(n int) {
		if item != "" && !strings.HasSuffix(item, ".") {
			wrong(n-1, "%q does not end as a sentence", item)
		}
		item = ""
	}
	for n, line := range strings.Split(text, "\n") {
		switch m := versionLine.FindStringSubmatch(line); {
		case n == 0:
			if line != "# Changelog" {
				wrong(n, "%q is no title", line)
			}
		case m != nil:
			ends(n)
			v := semver.MustParse(m[1])
			if k := len(versions); k > 0 && !v.LessThan(versions[k-1]) {
				wrong(n, "%s comes after %s", v, versions[k-1])
			}
			if len(versions) > 0 && strings.Contains(m[2], "unreleased") {
				wrong(n, "%s is not the newest and not released", v)
			}
			if !said {
				wrong(n, "the version before says nothing")
			}
			versions, said = append(versions, v), false
		case strings.HasPrefix(line, "#"):
			wrong(n, "%q is no version", line)
		case strings.HasPrefix(line, "- "), line == "":
			ends(n)
			if line != "" {
				item, said = line, true
			}
		case strings.HasPrefix(line, "  ") && item != "":
			item = line
		case strings.HasSuffix(line, ":"):
			if !slices.Contains(parts, line) {
				wrong(n, "%q is none of %v", line, parts)
			}
		case len(versions) > 0:
			said = true
		}
	}
	ends(strings.Count(text, "\n"))
	if !said || len(versions) == 0 {
		errs = append(errs, errors.New("the last version says nothing"))
	}
	return versions, errors.Join(errs...)
}

// The changelog can be read by who looks for a version, and begins with what is deployed or
// what comes next.
func TestChangelog(t *testing.T) {
	t.Parallel()
	text := read(t, "CHANGELOG.md")
	versions, err := changes(text)
	if err != nil {
		t.Fatal(err)
	}
	deployed := regexp.MustCompile(`newTag: v(\S+)`).FindStringSubmatch(read(t, "deploy/kustomization.yaml"))[1]
	if !slices.ContainsFunc(versions, func(v *semver.Version) bool { return v.Original() == deployed }) {
		t.Errorf("it does not tell of %s, which is deployed", deployed)
	}
	for is, becomes := range map[string]string{
		"# Changelog": "Changelog", "## 0.1.0": "## 0.1", "New:": "Mew:", "(unreleased)": "(unreleasd)", "## 0.2.0": "## 0.0.2",
		"\n## 0.1.0": "\n## 0.1.1\n\n## 0.1.0", ".\n- ": "\n- ",
	} {
		wrong := strings.Replace(text, is, becomes, 1)
		if _, err := changes(wrong); wrong == text || err == nil {
			t.Errorf("%q instead of %q is not seen", becomes, is)
		}
	}
}

// What leads from document to document leads somewhere, and whom to tell of a hole is found.
func TestLinks(t *testing.T) {
	t.Parallel()
	files := []string{"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "deploy/chart/README.md"}
	docs, err := filepath.Glob(root + "/docs/*.md")
	if err != nil || len(docs) == 0 {
		t.Fatal(docs, err)
	}
	for _, doc := range docs {
		files = append(files, strings.TrimPrefix(doc, root+"/"))
	}
	for _, file := range files {
		for _, m := range linked.FindAllStringSubmatch(read(t, file), -1) {
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(file), m[1])); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
	if !strings.Contains(read(t, "README.md"), "(SECURITY.md)") || !strings.Contains(read(t, "README.md"), "(CHANGELOG.md)") {
		t.Error("the README leads neither to SECURITY.md nor to CHANGELOG.md")
	}
	if security := read(t, "SECURITY.md"); !strings.Contains(security, "Report a vulnerability") || !strings.Contains(security, "(docs/security.md)") {
		t.Error("SECURITY.md does not say whom to tell")
	}
}
