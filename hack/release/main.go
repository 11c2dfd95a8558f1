// Release makes what a release consists of out of what was built before: manifests,
// chart, image index, plugin archives and krew's manifest. The same input gives the same
// bytes. hack/release.sh runs it.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/Masterminds/semver/v3"
)

func main() {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // Helm logs each link in the chart
	if err := run(os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// release is what is released, from where and to where.
type release struct {
	version string    // as `git describe` has it
	image   string    // its name, without a tag
	url     string    // where the files will be
	source  string    // the folder of the repository
	bin     string    // the folder of OS-ARCH/PROGRAM
	out     string    // the folder that everything comes into
	time    time.Time // of all that has one
}

func run(args []string) error {
	var r release
	fs := flag.NewFlagSet("release", flag.ContinueOnError)
	fs.StringVar(&r.version, "version", "", "`version` that is released")
	fs.StringVar(&r.image, "image", "", "`name` of the image, without a tag")
	fs.StringVar(&r.url, "url", "", "`URL` of the folder that people will get the files from")
	fs.StringVar(&r.source, "source", ".", "`folder` of the repository")
	fs.StringVar(&r.bin, "bin", "bin", "`folder` in which OS-ARCH/ has the programs")
	fs.StringVar(&r.out, "o", "bin/release", "`folder` to write to, in which the images are")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if r.version == "" || r.image == "" || r.url == "" {
		return errors.New("-version, -image and -url are needed")
	}
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return fmt.Errorf("the time of the release, SOURCE_DATE_EPOCH: %w", err)
	}
	r.time = time.Unix(seconds, 0).UTC()
	for _, step := range []struct {
		name string
		make func() error
	}{
		{"manifests", r.manifests},
		{"chart", r.chart},
		{"image index", r.imageIndex},
		{"plugin", r.plugin},
		{"licences", r.licences},
	} {
		if err := step.make(); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

// semantic is the version as Helm and krew want it: one that is not of a tag is before all
// others.
func semantic(version string) string {
	if v, err := semver.NewVersion(version); err == nil && "v"+v.String() == version {
		return v.String()
	}
	return "0.0.0-g" + version
}

func (r release) file(name string) string { return filepath.Join(r.out, name) }
