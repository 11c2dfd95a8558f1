package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// checkSignature is the command of docs/release.md.
const checkSignature = "ssh-keygen -Y verify -f ../signers -I release -n file -s SHA256SUMS.sig <SHA256SUMS"

// checkSums is the other one.
const checkSums = "sha256sum --check --quiet --ignore-missing SHA256SUMS"

// SHA256SUMS has every other file of the release, and they are as it says.
func TestSums(t *testing.T) {
	t.Parallel()
	m := released(t)
	var summed []string
	for line := range strings.Lines(string(m.read(t, "SHA256SUMS"))) {
		summed = append(summed, strings.TrimSpace(line[64:]))
	}
	want := slices.DeleteFunc(m.names(t), func(name string) bool { return name == "SHA256SUMS" })
	if !slices.Equal(want, summed) {
		t.Errorf("SHA256SUMS has %q, the release %q", summed, want)
	}
	if out, err := verify(m.file(""), checkSums); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// The documents say how to verify, and it is what these tests do.
func TestVerifyDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "docs", "release.md"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "```\n" + checkSignature + "\n" + checkSums + "\n```\n"; !strings.Contains(string(text), want) {
		t.Errorf("docs/release.md does not say:\n%s", want)
	}
}

// verify runs commands in a release.
func verify(dir string, commands ...string) ([]byte, error) {
	cmd := exec.Command("sh", "-euc", strings.Join(commands, "\n"))
	cmd.Dir = dir
	return cmd.CombinedOutput()
}

// What is signed with a key is verified with its public half. Another key, another byte in
// a file or in the list of sums, are refused.
func TestSign(t *testing.T) {
	t.Parallel()
	m := released(t)
	dir := t.TempDir()
	key, other := newKey(t, filepath.Join(dir, "key")), newKey(t, filepath.Join(dir, "other"))
	signed := filepath.Join(dir, "release")
	if err := os.CopyFS(signed, os.DirFS(m.file(""))); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("make", "--no-print-directory", "-C", root, "release-sign", "KEY="+filepath.Join(dir, "key"), "RELEASE="+signed)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make release-sign: %v: %s", err, out)
	}
	for _, tc := range []struct {
		name, signer, changed string
		refused               string // what is said of it
	}{
		{"as it is", key, "", ""},
		{"another key", other, "", "Could not verify signature"},
		{"another sum", key, "SHA256SUMS", "incorrect signature"},
		{"another manifest", key, "install.yaml", "install.yaml: FAILED"},
		{"another image", key, "image.oci.tar", "image.oci.tar: FAILED"},
	} {
		if err := os.WriteFile(filepath.Join(dir, "signers"), []byte("release "+tc.signer), 0o600); err != nil {
			t.Fatal(err)
		}
		restore := func() {}
		if tc.changed != "" {
			restore = changeByte(t, filepath.Join(signed, tc.changed))
		}
		out, err := verify(signed, checkSignature, checkSums)
		if (err != nil) != (tc.refused != "") || !strings.Contains(strings.ToLower(string(out)), strings.ToLower(tc.refused)) {
			t.Errorf("%s: %v, want %q: %s", tc.name, err, tc.refused, out)
		}
		restore()
	}
}

// A release that is not whole, or no key, is not signed.
func TestSignRefused(t *testing.T) {
	t.Parallel()
	m := released(t)
	dir := t.TempDir()
	newKey(t, filepath.Join(dir, "key"))
	if err := os.CopyFS(filepath.Join(dir, "release"), os.DirFS(m.file(""))); err != nil {
		t.Fatal(err)
	}
	changeByte(t, filepath.Join(dir, "release", "crds.yaml"))
	for name, tc := range map[string]struct{ key, release, want string }{
		"no key":          {"", m.file(""), "KEY"},
		"a file is other": {filepath.Join(dir, "key"), filepath.Join(dir, "release"), "crds.yaml: FAILED"},
		"no release":      {filepath.Join(dir, "key"), dir, "make release"},
	} {
		cmd := exec.Command("make", "--no-print-directory", "-C", root, "release-sign", "KEY="+tc.key, "RELEASE="+tc.release)
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), tc.want) {
			t.Errorf("%s: %v, want %q: %s", name, err, tc.want, out)
		}
		if _, err := os.Stat(filepath.Join(tc.release, "SHA256SUMS.sig")); !os.IsNotExist(err) {
			t.Errorf("%s: there is a signature: %v", name, err)
		}
	}
}

// newKey makes a key that is thrown away, and returns its public half.
func newKey(t *testing.T, path string) string {
	t.Helper()
	cmd := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "thrown away", "-f", path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen (openssh-client): %v: %s", err, out)
	}
	public, err := os.ReadFile(path + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	return string(public)
}

// changeByte changes a byte in the middle of a file, and returns what changes it back.
func changeByte(t *testing.T, path string) func() {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	flip := func() {
		content[len(content)/2] ^= 1
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	flip()
	return flip
}
