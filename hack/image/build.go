package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// build is what an image is made of beside its Dockerfile.
type build struct {
	arch  string
	args  values    // of ARG
	files values    // what COPY --from takes, by its path there
	time  time.Time // of the image and the files in it: the same input gives the same bytes
}

// image makes the image that the last stage describes. What it does not know in
// that stage is an error, not left out.
func (b build) image(dockerfile io.Reader) (v1.Image, error) {
	parsed, err := parser.Parse(dockerfile)
	if err != nil {
		return nil, err
	}
	stage := lastStage(parsed.AST.Children)
	if len(stage) == 0 || words(stage[0])[0] != "scratch" {
		return nil, errors.New("the last stage is not FROM scratch")
	}
	config := v1.Config{Labels: map[string]string{}, ExposedPorts: map[string]struct{}{}}
	args := map[string]string{}
	expand := func(s string) string {
		return os.Expand(strings.Trim(s, `"`), func(name string) string { return args[name] })
	}
	var layer bytes.Buffer
	files := tar.NewWriter(&layer)
	folders := map[string]bool{"/": true}
	for _, n := range stage[1:] {
		w := words(n)
		switch strings.ToLower(n.Value) {
		case "arg":
			for _, arg := range w {
				name, value, _ := strings.Cut(arg, "=")
				args[name] = value
				if given, ok := b.args[name]; ok {
					args[name] = given
				}
			}
		case "label": // name, value, separator
			for ; len(w) > 2; w = w[3:] {
				config.Labels[expand(w[0])] = expand(w[1])
			}
		case "user":
			config.User = w[0]
		case "expose":
			for _, port := range w {
				config.ExposedPorts[port+"/tcp"] = struct{}{}
			}
		case "entrypoint":
			if !n.Attributes["json"] {
				return nil, fmt.Errorf("line %d: ENTRYPOINT needs a shell, and the image has none", n.StartLine)
			}
			config.Entrypoint = w
		case "copy":
			if len(w) != 2 || len(n.Flags) != 1 || !strings.HasPrefix(n.Flags[0], "--from=") {
				return nil, fmt.Errorf("line %d: only COPY --from=STAGE FILE PATH is known", n.StartLine)
			}
			source, ok := b.files[w[0]]
			if !ok {
				return nil, fmt.Errorf("line %d: which file is %s? Say it by -file", n.StartLine, w[0])
			}
			if err := b.add(files, folders, source, w[1]); err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("line %d: %s is not known in the last stage", n.StartLine, n.Value)
		}
	}
	if err := files.Close(); err != nil {
		return nil, err
	}
	return b.assemble(config, layer.Bytes())
}

func (b build) assemble(config v1.Config, files []byte) (v1.Image, error) {
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(files)), nil })
	if err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	c, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	c.Architecture, c.OS, c.Config, c.Created = b.arch, "linux", config, v1.Time{Time: b.time}
	return mutate.ConfigFile(image, c)
}

// add adds a file and the folders above it, all of root's and not to be written.
func (b build) add(files *tar.Writer, folders map[string]bool, source, target string) error {
	content, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	var above []string
	for dir := path.Dir(target); !folders[dir]; dir = path.Dir(dir) {
		folders[dir] = true
		above = append([]string{dir}, above...)
	}
	for _, dir := range above {
		if err := files.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: strings.TrimPrefix(dir, "/") + "/", Mode: 0o755, ModTime: b.time}); err != nil {
			return err
		}
	}
	mode := int64(0o644)
	if info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	if err := files.WriteHeader(&tar.Header{Name: strings.TrimPrefix(target, "/"), Mode: mode, Size: int64(len(content)), ModTime: b.time}); err != nil {
		return err
	}
	_, err = files.Write(content)
	return err
}

// lastStage are the instructions from the last FROM on.
func lastStage(all []*parser.Node) []*parser.Node {
	for i := len(all) - 1; i >= 0; i-- {
		if strings.EqualFold(all[i].Value, "from") {
			return all[i:]
		}
	}
	return nil
}

// words are the arguments of an instruction.
func words(n *parser.Node) []string {
	var w []string
	for a := n.Next; a != nil; a = a.Next {
		w = append(w, a.Value)
	}
	return w
}
