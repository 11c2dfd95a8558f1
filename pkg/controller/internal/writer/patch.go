package writer

import (
	stdjson "encoding/json"
	"maps"
	"reflect"

	"k8s.io/apimachinery/pkg/util/json"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// patches are the JSON merge patches that lead from one state of a record to
// another: one for the resource, empty if it does not differ, and one for its status,
// nil if that does not. They do not say yet which resourceVersion they are for.
type patches struct {
	resource map[string]any
	status   any // a map, or the whole status of a new record
}

// marks tells whether they say that the volume is absent.
func (p patches) marks() bool {
	meta, _ := p.resource["metadata"].(map[string]any)
	annotations, _ := meta["annotations"].(map[string]any)
	return annotations[v1.AnnotationAbsentSince] != nil
}

func (p patches) empty() bool { return len(p.resource) == 0 && p.status == nil }

// diff makes the patches. Fields that neither of the two states knows, those of
// others, are in neither patch. What is in anew is written of the status, whatever it was.
func diff(from, to *v1.Volume, anew map[string]any) (patches, error) {
	a, err := asMap(from)
	if err != nil {
		return patches{}, err
	}
	if status, ok := a["status"].(map[string]any); ok {
		maps.Copy(status, anew)
	}
	b, err := asMap(to)
	if err != nil {
		return patches{}, err
	}
	p := patches{resource: mergePatch(a, b)}
	p.status = p.resource["status"]
	delete(p.resource, "status")
	return p, nil
}

// asMap is what a record is in JSON. Integers stay integers: a size beyond 2^53
// does not fit a float64.
func asMap(r *v1.Volume) (map[string]any, error) {
	raw, err := stdjson.Marshal(r)
	if err != nil {
		return nil, err
	}
	var m map[string]any
	return m, json.Unmarshal(raw, &m)
}

// mergePatch makes the JSON merge patch (RFC 7386) from one object to another.
// The libraries that do it compare numbers as float64.
func mergePatch(from, to map[string]any) map[string]any {
	patch := map[string]any{}
	for key := range from {
		if _, ok := to[key]; !ok {
			patch[key] = nil
		}
	}
	for key, is := range to {
		was, ok := from[key]
		a, inA := was.(map[string]any)
		b, inB := is.(map[string]any)
		switch {
		case inA && inB:
			if differs := mergePatch(a, b); len(differs) > 0 {
				patch[key] = differs
			}
		case !ok || !reflect.DeepEqual(was, is):
			patch[key] = is
		}
	}
	return patch
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
	return stdjson.Marshal(patch)
}
