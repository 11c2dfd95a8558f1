package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

const root = "../.."

// folders is where the releases are made. It is as long as the tests.
var folders string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if folders, err = os.MkdirTemp("", "release"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(folders)
		return m.Run()
	}())
}

// releasedAt is the time of the commit that is released.
const releasedAt = 1790000000

// made is a release: its folder, its version and its commit.
type made struct{ dir, version, commit string }

func (m made) file(name string) string { return filepath.Join(m.dir, "bin", "release", name) }

func (m made) read(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(m.file(name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// released is the release that all tests look at: `make release` in a checkout of what is
// here, where the commit has the tag of the version that is deployed.
func released(t *testing.T) made {
	t.Helper()
	m, err := first()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

var first = sync.OnceValues(func() (made, error) {
	m := made{dir: filepath.Join(folders, "first")}
	kustomization, err := os.ReadFile(filepath.Join(root, "deploy", "kustomization.yaml"))
	if err != nil {
		return m, err
	}
	tag := regexp.MustCompile(`(?m)^ *newTag: (\S+)$`).FindSubmatch(kustomization)
	if tag == nil {
		return m, fmt.Errorf("deploy names no version:\n%s", kustomization)
	}
	m.version = string(tag[1])
	if err := checkout(m.dir); err != nil {
		return m, err
	}
	for _, args := range [][]string{
		{"init", "--quiet"},
		{"add", "--all"},
		{"-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false", "commit", "--quiet", "--message", "Release"},
		{"-c", "tag.gpgsign=false", "tag", m.version},
	} {
		cmd := exec.Command("git", append([]string{"-C", m.dir}, args...)...)
		cmd.Env = append(os.Environ(), fmt.Sprintf("GIT_COMMITTER_DATE=@%d +0000", releasedAt))
		if out, err := cmd.CombinedOutput(); err != nil {
			return m, fmt.Errorf("git %v: %w: %s", args, err, out)
		}
	}
	commit, err := exec.Command("git", "-C", m.dir, "rev-parse", "HEAD").Output()
	if err != nil {
		return m, err
	}
	m.commit = strings.TrimSpace(string(commit))
	return m, makeRelease(m.dir, "022")
})

// checkout copies what is in git here, or would be, as it is.
func checkout(dir string) error {
	out, err := exec.Command("git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard", "-z").Output()
	if err != nil {
		return fmt.Errorf("git ls-files: %w", err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		from, to := filepath.Join(root, name), filepath.Join(dir, name)
		info, err := os.Stat(from)
		if os.IsNotExist(err) {
			continue // deleted, and not yet so in git
		}
		if err != nil {
			return err
		}
		content, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(to, content, info.Mode().Perm()); err != nil {
			return err
		}
	}
	return nil
}

// makeRelease makes a release as people do: the version and the time come from git.
func makeRelease(dir, umask string, env ...string) error {
	fmt.Fprintln(os.Stderr, "make release in", dir)
	cmd := exec.Command("sh", "-euc", "umask "+umask+"; exec make --no-print-directory release")
	cmd.Dir = dir
	for _, e := range os.Environ() {
		switch name, _, _ := strings.Cut(e, "="); name {
		case "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "VERSION", "COMMIT", "IMAGE", "RELEASE_URL", "SOURCE_DATE_EPOCH":
		default:
			cmd.Env = append(cmd.Env, e)
		}
	}
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("make release: %w", err)
	}
	return nil
}

// Another person, elsewhere and later, gets the same bytes.
func TestReproducible(t *testing.T) {
	t.Parallel()
	one := released(t)
	two := made{dir: filepath.Join(folders, "another", "place", "second")}
	if out, err := exec.Command("sh", "-c", `umask 077; git clone --quiet "$0" "$1"`, one.dir, two.dir).CombinedOutput(); err != nil {
		t.Fatalf("git clone: %v: %s", err, out)
	}
	if err := makeRelease(two.dir, "077", "TZ=Pacific/Auckland"); err != nil {
		t.Fatal(err)
	}
	names := one.names(t)
	if got := two.names(t); strings.Join(got, " ") != strings.Join(names, " ") {
		t.Fatalf("the files are %q, then %q", names, got)
	}
	for _, name := range names {
		if !bytes.Equal(one.read(t, name), two.read(t, name)) {
			t.Errorf("%s is another one the second time", name)
		}
	}
}

// names are the files of a release, in which there are no folders.
func (m made) names(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(m.file(""))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if !e.Type().IsRegular() {
			t.Errorf("%s is no file: it cannot be offered for download", e.Name())
		}
		names = append(names, e.Name())
	}
	return names
}
