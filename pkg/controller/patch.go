package controller

import (
	"encoding/json"
	"fmt"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// patches are the JSON merge patches that lead from one state of a record to
// another: one for the resource, one for its status. Nil where there is no
// difference. They do not say yet which resourceVersion they are for.
type patches struct {
	resource map[string]any
	status   any
}

// diff makes the patches. Fields that neither of the two states knows, those of
// others, are in neither patch.
func diff(from, to *v1.Volume) (patches, error) {
	a, err := json.Marshal(from)
	if err != nil {
		return patches{}, err
	}
	b, err := json.Marshal(to)
	if err != nil {
		return patches{}, err
	}
	raw, err := jsonpatch.CreateMergePatch(a, b)
	if err != nil {
		return patches{}, fmt.Errorf("comparing two states of record %s: %w", from.Name, err)
	}
	var p patches
	if err := json.Unmarshal(raw, &p.resource); err != nil {
		return patches{}, err
	}
	p.status = p.resource["status"]
	delete(p.resource, "status")
	return p, nil
}

// pinned is a patch that the API server refuses if the record is not at that
// resourceVersion any more.
func pinned(patch map[string]any, resourceVersion string) ([]byte, error) {
	meta, _ := patch["metadata"].(map[string]any)
	if meta == nil {
		meta = map[string]any{}
		patch["metadata"] = meta
	}
	meta["resourceVersion"] = resourceVersion
	return json.Marshal(patch)
}
