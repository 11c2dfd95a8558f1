package main

import (
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// architectures are those of the image.
var architectures = []string{"amd64", "arm64"}

// imageIndex makes one image for all architectures out of those in image-ARCH.tar.
func (r release) imageIndex() error {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, arch := range architectures {
		image, err := ociImage(r.file("image-" + arch + ".tar"))
		if err != nil {
			return err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        image,
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
	}
	return r.writeLayout("image.oci.tar", func(p layout.Path) error {
		return p.AppendIndex(index, layout.WithAnnotations(map[string]string{refName: r.version}))
	})
}

// ociImage reads an image of Docker's format. Its layers and what it says stay the same,
// and so does its ID.
func ociImage(file string) (v1.Image, error) {
	docker, err := tarball.ImageFromPath(file, nil)
	if err != nil {
		return nil, err
	}
	config, err := docker.ConfigFile()
	if err != nil {
		return nil, err
	}
	layers, err := docker.Layers()
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for _, layer := range layers {
		if image, err = mutate.Append(image, mutate.Addendum{Layer: layer, MediaType: types.OCILayer}); err != nil {
			return nil, err
		}
	}
	return mutate.ConfigFile(image, config)
}
