package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/types"
	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/chart/v2/util"
)

// What Helm looks for in a registry.
const (
	chartConfigType = "application/vnd.cncf.helm.config.v1+json"
	chartLayerType  = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
)

// chart packs the chart as `helm package` does, and as `helm push` would put it into a
// registry.
func (r release) chart() error {
	c, err := loader.Load(filepath.Join(r.source, "deploy", "chart"))
	if err != nil {
		return err
	}
	c.Metadata.Version, c.Metadata.AppVersion = semantic(r.version), r.version
	values := 0
	for _, f := range c.Raw {
		if f.Name == util.ValuesfileName {
			values = bytes.Count(f.Data, []byte("repository: "+imageName+"\n"))
			f.Data = bytes.ReplaceAll(f.Data, []byte("repository: "+imageName+"\n"), []byte("repository: "+r.image+"\n"))
		}
	}
	if values != 1 {
		return fmt.Errorf("values.yaml names the image %s %d times, not once", imageName, values)
	}
	c.StampModTimes(r.time)
	packed, err := util.Save(c, r.out)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(packed)
	if err != nil {
		return err
	}
	return r.writeLayout("chart.oci.tar", func(p layout.Path) error { return r.addChart(p, c.Metadata, content) })
}

// addChart adds a packed chart to a layout.
func (r release) addChart(p layout.Path, meta *chartv2.Metadata, content []byte) error {
	config, err := json.Marshal(meta)
	if err != nil {
		return err
	}
	manifest := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Annotations: map[string]string{
		"org.opencontainers.image.title":       meta.Name,
		"org.opencontainers.image.version":     meta.Version,
		"org.opencontainers.image.description": meta.Description,
		"org.opencontainers.image.url":         meta.Home,
		"org.opencontainers.image.created":     r.time.Format(time.RFC3339),
	}}
	if manifest.Config, err = addBlob(p, chartConfigType, config); err != nil {
		return err
	}
	layer, err := addBlob(p, chartLayerType, content)
	if err != nil {
		return err
	}
	manifest.Layers = []v1.Descriptor{layer}
	text, err := json.Marshal(manifest)
	if err != nil {
		return err
	}
	described, err := addBlob(p, types.OCIManifestSchema1, text)
	if err != nil {
		return err
	}
	described.Annotations = map[string]string{refName: meta.Version}
	return p.AppendDescriptor(described)
}
