package controller

import (
	"cmp"
	"slices"
)

// worst keeps the worst of many concerns, none of which is explained yet: there may be as many
// as volumes, and only a few of them are shown.
type worst struct {
	most int
	all  []Concern // up to twice as many
	cut  bool      // what is not before the last of them has no room
}

func (w *worst) add(c Concern) {
	if w.cut && compareUnexplained(c, w.all[w.most-1]) >= 0 {
		return
	}
	if w.all = append(w.all, c); len(w.all) >= 2*w.most {
		w.take()
	}
}

// take is those that are kept, by kind and ID.
func (w *worst) take() []Concern {
	slices.SortFunc(w.all, compareUnexplained)
	if len(w.all) >= w.most {
		w.all, w.cut = w.all[:w.most], w.most > 0
	}
	return w.all
}

func compareUnexplained(a, b Concern) int {
	return cmp.Or(cmp.Compare(slices.Index(worstFirst, a.Kind), slices.Index(worstFirst, b.Kind)),
		cmp.Compare(a.VolumeID, b.VolumeID), cmp.Compare(a.PersistentVolume, b.PersistentVolume))
}
