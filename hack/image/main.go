// Image writes the image that the last stage of a Dockerfile describes, as a
// tarball for `docker load`, `podman load` or `ctr images import`, without a
// Docker engine. What the earlier stages build is given to it as files.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func main() {
	if err := run(os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// values is a flag that can be given more than once, each time as NAME=VALUE.
type values map[string]string

func (v values) String() string { return "" }

func (v values) Set(s string) error {
	name, value, ok := strings.Cut(s, "=")
	if !ok {
		return fmt.Errorf("%q is not NAME=VALUE", s)
	}
	v[name] = value
	return nil
}

func run(args []string) error {
	b := build{args: values{}, files: values{}}
	fs := flag.NewFlagSet("image", flag.ContinueOnError)
	dockerfile := fs.String("dockerfile", "Dockerfile", "the `file` to read")
	tag := fs.String("tag", "", "`name:tag` of the image")
	out := fs.String("o", "image.tar", "the `file` to write")
	fs.StringVar(&b.arch, "arch", "amd64", "`architecture` of the image")
	fs.Var(b.args, "build-arg", "value of an ARG, `NAME=VALUE`; can be given more than once")
	fs.Var(b.files, "file", "`PATH=FILE`: what COPY --from takes as PATH is FILE; can be given more than once")
	if err := fs.Parse(args); err != nil {
		return err
	}
	ref, err := name.NewTag(*tag)
	if err != nil {
		return fmt.Errorf("flag -tag: %w", err)
	}
	if s := os.Getenv("SOURCE_DATE_EPOCH"); s != "" {
		seconds, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
		}
		b.time = time.Unix(seconds, 0).UTC()
	}
	text, err := os.Open(*dockerfile)
	if err != nil {
		return err
	}
	defer text.Close()
	image, err := b.image(text)
	if err != nil {
		return fmt.Errorf("%s: %w", *dockerfile, err)
	}
	return tarball.WriteToFile(*out, ref, image)
}
