package main

import (
	"bytes"
	"io"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// refName is the annotation by which programs tell a tag in a layout.
const refName = "org.opencontainers.image.ref.name"

// writeLayout writes an OCI layout as one file.
func (r release) writeLayout(name string, fill func(layout.Path) error) error {
	dir, err := os.MkdirTemp("", "layout")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	if err := fill(p); err != nil {
		return err
	}
	entries, err := folder(dir)
	if err != nil {
		return err
	}
	return r.write(name, tarred, entries)
}

func addBlob(p layout.Path, mediaType types.MediaType, content []byte) (v1.Descriptor, error) {
	hash, size, err := v1.SHA256(bytes.NewReader(content))
	if err != nil {
		return v1.Descriptor{}, err
	}
	err = p.WriteBlob(hash, io.NopCloser(bytes.NewReader(content)))
	return v1.Descriptor{MediaType: mediaType, Size: size, Digest: hash}, err
}
