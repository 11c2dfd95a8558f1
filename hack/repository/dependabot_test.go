package repository

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// updates is what .github/dependabot.yml may say, of all that it might.
type updates struct {
	Version int `yaml:"version"`
	Updates []struct {
		Ecosystem   string   `yaml:"package-ecosystem"`
		Directory   string   `yaml:"directory"`
		Directories []string `yaml:"directories"`
		Schedule    struct {
			Interval string `yaml:"interval"`
		} `yaml:"schedule"`
		Groups map[string]struct {
			Patterns        []string `yaml:"patterns"`
			ExcludePatterns []string `yaml:"exclude-patterns"`
		} `yaml:"groups"`
	} `yaml:"updates"`
}

// check says what is wrong with it, if these are all modules.
func check(text string, modules []string) error {
	var u updates
	decoder := yaml.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.KnownFields(true)
	if err := decoder.Decode(&u); err != nil {
		return err
	}
	var errs []error
	if u.Version != 2 {
		errs = append(errs, fmt.Errorf("version %d", u.Version))
	}
	updated := map[string][]string{}
	for _, update := range u.Updates {
		dirs := update.Directories
		if update.Directory != "" {
			dirs = append(dirs, update.Directory)
		}
		slices.Sort(dirs)
		updated[update.Ecosystem] = dirs
		if !slices.Contains([]string{"daily", "weekly", "monthly"}, update.Schedule.Interval) {
			errs = append(errs, fmt.Errorf("interval %q", update.Schedule.Interval))
		}
		for name, group := range update.Groups {
			if len(group.Patterns) == 0 {
				errs = append(errs, fmt.Errorf("the group %s is empty", name))
			}
		}
	}
	if got := updated["gomod"]; !slices.Equal(got, modules) {
		errs = append(errs, fmt.Errorf("modules in %v are updated, there are those in %v", got, modules))
	}
	if got := updated["github-actions"]; !slices.Equal(got, []string{"/"}) {
		errs = append(errs, fmt.Errorf("actions in %v are updated", got))
	}
	if len(updated) != 2 {
		errs = append(errs, fmt.Errorf("%d ecosystems", len(updated)))
	}
	return errors.Join(errs...)
}

// Each module is updated but the older versions of Kubernetes, and what is vulnerable for a test,
// which are older on purpose.
func TestUpdates(t *testing.T) {
	t.Parallel()
	text := read(t, ".github/dependabot.yml")
	updated := slices.DeleteFunc(modules(t), func(dir string) bool {
		return strings.HasPrefix(dir, "/hack/kubernetes/") || strings.Contains(dir, "/testdata")
	})
	if err := check(text, updated); err != nil {
		t.Error(err)
	}
	for is, becomes := range map[string]string{
		"version: 2": "version: 1", "schedule:": "schedul:", "weekly": "weakly", "gomod": "go", "  - /hack/image\n": "",
		"/hack/image\n": "/hack/imag\n", "github-actions": "github-action", "exclude-patterns": "exclude-pattern", " patterns: [\"*\"]": " patterns: []",
	} {
		if wrong := strings.ReplaceAll(text, is, becomes); wrong == text || check(wrong, updated) == nil {
			t.Errorf("%q instead of %q is not seen", becomes, is)
		}
	}
}
