package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	crane "github.com/google/go-containerregistry/cmd/crane/cmd"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	helm "helm.sh/helm/v4/pkg/registry"
)

// pushed unpacks a layout and pushes it by crane, as the documents say, to a registry
// here. It returns the reference.
func pushed(t *testing.T, m made, file, repository, tag string) string {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	reference := strings.TrimPrefix(server.URL, "http://") + "/" + repository + ":" + tag
	dir := t.TempDir()
	if out, err := exec.Command("tar", "-xf", m.file(file), "-C", dir).CombinedOutput(); err != nil {
		t.Fatalf("tar: %v: %s", err, out)
	}
	cmd := crane.New("crane", "", nil)
	cmd.SetArgs([]string{"push", dir, reference})
	cmd.SetOut(io.Discard)
	if err := cmd.Execute(); err != nil {
		t.Fatalf("crane push: %v", err)
	}
	return reference
}

// The image comes out of a registry as it was built, for each architecture, and runs.
func TestImage(t *testing.T) {
	t.Parallel()
	m := released(t)
	reference, err := name.ParseReference(pushed(t, m, "image.oci.tar", "storageos/volume-sync-controller", m.version))
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Index(reference)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if manifest.MediaType != types.OCIImageIndex {
		t.Errorf("the index is of type %s", manifest.MediaType)
	}
	var got []string
	for _, described := range manifest.Manifests {
		got = append(got, described.Platform.String())
		image, err := remote.Image(reference, remote.WithPlatform(*described.Platform))
		if err != nil {
			t.Fatal(err)
		}
		arch := described.Platform.Architecture
		docker, err := tarball.ImageFromPath(m.file("image-"+arch+".tar"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(contents(t, docker), contents(t, image)); diff != "" {
			t.Errorf("%s (-image-%s.tar +pulled):\n%s", arch, arch, diff)
		}
		if arch == runtime.GOARCH {
			said := runIn(t, image, "volume-sync-controller", "-version")
			if want := "volume-sync-controller " + m.version + " (commit " + m.commit + ", "; !strings.HasPrefix(said, want) {
				t.Errorf("-version says %q, want %q", said, want)
			}
		}
	}
	if want := []string{"linux/amd64", "linux/arm64"}; !slices.Equal(got, want) {
		t.Errorf("platforms %q, want %q", got, want)
	}
}

// contents are what an image says and, by their digests, what its layers are.
func contents(t *testing.T, image v1.Image) []string {
	t.Helper()
	config, err := image.RawConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	all := []string{string(config)}
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, layer := range layers {
		digest, err := layer.Digest()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, digest.String())
	}
	return all
}

// runIn runs a program of an image.
func runIn(t *testing.T, image v1.Image, program string, args ...string) string {
	t.Helper()
	content := mutate.Extract(image)
	defer content.Close()
	for files := tar.NewReader(content); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			t.Fatalf("there is no %s in the image", program)
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Name == program {
			return runProgram(t, files, args...)
		}
	}
}

// runProgram runs what is read, and returns what it says.
func runProgram(t *testing.T, content io.Reader, args ...string) string {
	t.Helper()
	b, err := io.ReadAll(content)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, b, 0o700); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

// Helm pulls the chart out of a registry, byte for byte, and it names this version.
func TestChart(t *testing.T) {
	t.Parallel()
	m := released(t)
	version := strings.TrimPrefix(m.version, "v")
	reference := pushed(t, m, "chart.oci.tar", "charts/storageos-volume-sync", version)
	client, err := helm.NewClient(helm.ClientOptPlainHTTP(), helm.ClientOptCredentialsFile(filepath.Join(t.TempDir(), "none")))
	if err != nil {
		t.Fatal(err)
	}
	pulled, err := client.Pull("oci://" + reference)
	if err != nil {
		t.Fatal(err)
	}
	packed := m.read(t, "storageos-volume-sync-"+version+".tgz")
	if !bytes.Equal(pulled.Chart.Data, packed) {
		t.Error("Helm pulls another chart than is in the .tgz")
	}
	c, err := loader.LoadArchive(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	want := []string{"storageos-volume-sync", version, m.version}
	for where, meta := range map[string][]string{
		"the chart":      {c.Metadata.Name, c.Metadata.Version, c.Metadata.AppVersion},
		"what is pulled": {pulled.Chart.Meta.Name, pulled.Chart.Meta.Version, pulled.Chart.Meta.AppVersion},
	} {
		if !slices.Equal(want, meta) {
			t.Errorf("%s is %q, want %q", where, meta, want)
		}
	}
}
