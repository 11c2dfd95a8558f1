package main

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

const root = "../.."

// instructions are those of the shipped Dockerfile.
func instructions(t *testing.T) []*parser.Node {
	t.Helper()
	f, err := os.Open(root + "/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	parsed, err := parser.Parse(f)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.AST.Children
}

// buildStage does what the first stage of the Dockerfile does, in a folder as
// fresh as that of a build, and returns that folder.
func buildStage(t *testing.T, env ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, n := range instructions(t) {
		w := words(n)
		switch strings.ToLower(n.Value) {
		case "copy":
			if len(n.Flags) > 0 {
				return dir // of the last stage
			}
			target := filepath.Join(dir, w[len(w)-1])
			if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
				t.Fatal(err)
			}
			for _, source := range w[:len(w)-1] {
				cmd := exec.Command("cp", "-R", filepath.Join(root, source), target)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("COPY %q: %v: %s", w, err, out)
				}
			}
		case "run":
			cmd := exec.Command("/bin/sh", "-c", w[0])
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), env...)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("RUN %s: %v: %s", w[0], err, out)
			}
		}
	}
	return dir
}

// The commands of the Dockerfile build a static binary for each architecture,
// out of nothing but what it copies, and the image that is written of it is what
// its last stage says.
func TestImage(t *testing.T) {
	t.Parallel()
	for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		t.Run(arch, func(t *testing.T) {
			t.Parallel()
			if testing.Short() && arch != runtime.GOARCH {
				t.Skip("another architecture is built anew from the start: it takes minutes")
			}
			dir := buildStage(t, "TARGETOS=linux", "TARGETARCH="+arch, "VERSION=v1.2.3", "COMMIT=0123abc")
			binary := filepath.Join(dir, "bin", "volume-sync-controller")
			if f, err := elf.Open(binary); err != nil || f.Machine != machine || f.Section(".interp") != nil {
				t.Fatalf("not a static binary for %s: %v", arch, err)
			}
			certificates := filepath.Join(dir, "ca.crt")
			if err := os.WriteFile(certificates, []byte("CAs\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			out := filepath.Join(dir, "image.tar")
			args := []string{
				"-dockerfile", root + "/Dockerfile", "-arch", arch, "-tag", "storageos/volume-sync-controller:v1.2.3", "-o", out,
				"-build-arg", "VERSION=v1.2.3", "-build-arg", "COMMIT=0123abc",
				"-file", "/src/bin/volume-sync-controller=" + binary, "-file", "/etc/ssl/certs/ca-certificates.crt=" + certificates,
			}
			if err := run(args); err != nil {
				t.Fatal(err)
			}
			image, err := tarball.ImageFromPath(out, nil)
			if err != nil {
				t.Fatal(err)
			}
			checkConfig(t, image, arch)
			checkFiles(t, image, dir, arch)

			first, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			if err := run(args); err != nil {
				t.Fatal(err)
			}
			if second, err := os.ReadFile(out); err != nil || !bytes.Equal(first, second) {
				t.Errorf("the same input gave another image: %v", err)
			}
		})
	}
}

func checkConfig(t *testing.T, image v1.Image, arch string) {
	t.Helper()
	c, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	const prefix = "org.opencontainers.image."
	got := map[string]any{
		"platform": c.OS + "/" + c.Architecture, "user": c.Config.User, "entrypoint": c.Config.Entrypoint,
		"version": c.Config.Labels[prefix+"version"], "revision": c.Config.Labels[prefix+"revision"],
		"licenses": c.Config.Labels[prefix+"licenses"], "title": c.Config.Labels[prefix+"title"], "labels": len(c.Config.Labels),
	}
	want := map[string]any{
		"platform": "linux/" + arch, "user": "65532:65532", "entrypoint": []string{"/volume-sync-controller"},
		"version": "v1.2.3", "revision": "0123abc", "licenses": "MIT", "title": "StorageOS Volume Sync Controller", "labels": 9,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// checkFiles finds the CAs and the binary, and nothing else. The binary says
// what it was built from.
func checkFiles(t *testing.T, image v1.Image, dir, arch string) {
	t.Helper()
	layers, err := image.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	var names []string
	binary := filepath.Join(dir, "unpacked")
	for files := tar.NewReader(content); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.FileInfo().Mode().String()+" "+h.Name)
		if h.Uid != 0 || h.Gid != 0 {
			t.Errorf("%s belongs to %d:%d", h.Name, h.Uid, h.Gid)
		}
		if h.Name == "volume-sync-controller" {
			b, err := io.ReadAll(files)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(binary, b, 0o700); err != nil {
				t.Fatal(err)
			}
		}
	}
	if want := []string{
		"drwxr-xr-x etc/", "drwxr-xr-x etc/ssl/", "drwxr-xr-x etc/ssl/certs/",
		"-rw-r--r-- etc/ssl/certs/ca-certificates.crt", "-rwxr-xr-x volume-sync-controller",
	}; !slices.Equal(want, names) {
		t.Errorf("files %q", names)
	}
	if arch != runtime.GOARCH {
		return // it does not run here
	}
	said, err := exec.Command(binary, "-version").Output()
	if err != nil || !strings.HasPrefix(string(said), "volume-sync-controller v1.2.3 (commit 0123abc, go") {
		t.Errorf("-version: %v: %s", err, said)
	}
}

// What would make another image than Docker's is refused.
func TestRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ dockerfile, want string }{
		"another base":         {"FROM debian\n", "not FROM scratch"},
		"no stage":             {"ARG X\n", "not FROM scratch"},
		"a command":            {"FROM scratch\nRUN true\n", "line 2: RUN is not known"},
		"a file of the folder": {"FROM scratch\nCOPY a /a\n", "line 2: only COPY --from"},
		"a file not given":     {"FROM scratch\nCOPY --from=build /a /a\n", "line 2: which file is /a?"},
		"a shell":              {"FROM scratch\nENTRYPOINT /a\n", "line 2: ENTRYPOINT needs a shell"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := (build{}).image(strings.NewReader(tc.dockerfile)); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}

// What Docker sends to a build is what the build stage copies: nothing is
// missing, and neither secrets nor the history of the repository go along.
func TestDockerignore(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(root + "/.dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	var sent []string
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "!"); ok {
			sent = append(sent, rest)
		}
	}
	var copied []string
	for _, n := range instructions(t) {
		if w := words(n); strings.EqualFold(n.Value, "copy") && len(n.Flags) == 0 {
			copied = append(copied, w[:len(w)-1]...)
		}
	}
	slices.Sort(sent)
	slices.Sort(copied)
	if diff := cmp.Diff(copied, sent); diff != "" {
		t.Errorf("(-copied +sent):\n%s", diff)
	}
}
