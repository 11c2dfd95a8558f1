package main

import (
	"fmt"
	"os"
	"path"
	"path/filepath"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// imageName is how the manifests and the chart name the image.
const imageName = "storageos/volume-sync-controller"

const (
	installHead = `# StorageOS Volume Sync Controller %s, into the namespace storageos:
#
#   kubectl apply -f install.yaml
#
# To remove it, name the label. Without it the CRD goes too, and with the CRD all records:
#
#   kubectl delete -f install.yaml -l app.kubernetes.io/name=storageos-volume-sync
`
	crdsHead = `# The CRD of StorageOS Volume Sync Controller %s. All records go with it.
`
)

// manifests renders deploy, with this version's image, as kustomize does.
func (r release) manifests() error {
	// In memory, where an overlay can be beside what it changes.
	fs := filesys.MakeFsInMemory()
	deploy := filepath.Join(r.source, "deploy")
	err := filepath.WalkDir(deploy, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		below, err := filepath.Rel(deploy, name)
		if err != nil {
			return err
		}
		return fs.WriteFile(path.Join("/deploy", filepath.ToSlash(below)), content)
	})
	if err != nil {
		return err
	}
	for name, overlay := range map[string]string{
		"install": fmt.Sprintf("resources: [../deploy/crd, ../deploy]\nimages: [{name: %s, newName: %q, newTag: %q}]\n", imageName, r.image, r.version),
		"crds":    "resources: [../deploy/crd]\n",
	} {
		if err := fs.WriteFile(path.Join("/", name, "kustomization.yaml"), []byte(overlay)); err != nil {
			return err
		}
	}
	for name, head := range map[string]string{"install": installHead, "crds": crdsHead} {
		rendered, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(fs, "/"+name)
		if err != nil {
			return err
		}
		text, err := rendered.AsYaml()
		if err != nil {
			return err
		}
		if err := os.WriteFile(r.file(name+".yaml"), append(fmt.Appendf(nil, head, r.version), text...), 0o644); err != nil {
			return err
		}
	}
	return nil
}
