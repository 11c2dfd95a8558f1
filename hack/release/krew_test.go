package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// krewManifest is what tests read of it.
type krewManifest struct {
	Spec struct {
		Version   string
		Caveats   string
		Platforms []struct {
			Selector struct {
				MatchLabels struct{ OS, Arch string }
			}
			URI string
		}
	}
}

// krewProgram builds krew.
func krewProgram(t *testing.T) string {
	t.Helper()
	cmd := exec.Command("go", "tool", "-modfile=hack/tools/release/go.mod", "-n", "krew")
	cmd.Dir = root
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("building krew: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// krew installs the plugin from its manifest on each platform, where the manifest says
// that it is, and refuses an archive in which a byte has changed.
func TestKrew(t *testing.T) {
	t.Parallel()
	m := released(t)
	var manifest krewManifest
	if err := yaml.Unmarshal(m.read(t, "storageos-volumes.yaml"), &manifest); err != nil {
		t.Fatal(err)
	}
	if len(manifest.Spec.Platforms) != 6 {
		t.Errorf("it is for %d platforms, want 6", len(manifest.Spec.Platforms))
	}
	krew := krewProgram(t)
	for _, p := range manifest.Spec.Platforms {
		system, arch := p.Selector.MatchLabels.OS, p.Selector.MatchLabels.Arch
		t.Run(system+"-"+arch, func(t *testing.T) {
			t.Parallel()
			base, archive := filepath.Dir(strings.Replace(p.URI, "://", ":/", 1)), filepath.Base(p.URI)
			if want := "https:/github.com/storageos/volume-sync-controller/releases/download/" + m.version; base != want {
				t.Errorf("it would be fetched from %s, want %s", base, want)
			}
			install := func(home, archive string) ([]byte, error) {
				cmd := exec.Command(krew, "install", "--manifest", m.file("storageos-volumes.yaml"), "--archive", archive)
				cmd.Env = append(os.Environ(), "KREW_OS="+system, "KREW_ARCH="+arch, "KREW_NO_UPGRADE_CHECK=1", "KREW_ROOT="+home)
				return cmd.CombinedOutput()
			}
			home := t.TempDir()
			if out, err := install(home, m.file(archive)); err != nil {
				t.Fatalf("krew install: %v: %s", err, out)
			}
			program := filepath.Join(home, "bin", "kubectl-storageos_volumes")
			if system == "windows" {
				program += ".exe"
			}
			if _, err := os.Stat(program); err != nil {
				t.Error(err)
			}
			if system == runtime.GOOS && arch == runtime.GOARCH {
				said, err := exec.Command(program, "--version").Output()
				if err != nil || !strings.Contains(string(said), m.version+" ") {
					t.Errorf("--version: %v: %s", err, said)
				}
				followCaveats(t, manifest.Spec.Caveats, home)
			}
			changed := filepath.Join(t.TempDir(), archive)
			content := m.read(t, archive)
			content[len(content)/2] ^= 1
			if err := os.WriteFile(changed, content, 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := install(t.TempDir(), changed); err == nil || !strings.Contains(string(out), "checksum") {
				t.Errorf("an archive with another byte was not refused for its checksum: %v: %s", err, out)
			}
		})
	}
}

// followCaveats does what krew tells people to do after the installation.
func followCaveats(t *testing.T, caveats, home string) {
	t.Helper()
	var commands []string
	for line := range strings.Lines(caveats) {
		if command, ok := strings.CutPrefix(line, "  "); ok {
			commands = append(commands, command)
		}
	}
	cmd := exec.Command("sh", "-euc", strings.Join(commands, ""))
	cmd.Env = append(os.Environ(), "KREW_ROOT="+home)
	if out, err := cmd.CombinedOutput(); err != nil || len(commands) == 0 {
		t.Errorf("%q: %v: %s", commands, err, out)
	}
	info, err := os.Stat(filepath.Join(home, "bin", "kubectl_complete-storageos_volumes"))
	if err != nil || info.Mode()&0o111 == 0 {
		t.Errorf("kubectl would not find the completion: %v, %v", info, err)
	}
}
