//go:build !race

package controller

import (
	"runtime"
	"testing"
)

// mostHeap is how many bytes a volume may take, with its PersistentVolume and
// its record.
const mostHeap = 1 << 10

// What is kept of a volume, its PersistentVolume and its record.
func TestCountHeap(t *testing.T) { // not parallel: the heap is the whole process's
	const few, volumes = 100, 20_000
	keepAll(t, few) // what is made once is there now
	before := heap()
	r := keepAll(t, volumes)
	each := (heap() - before) / volumes
	t.Logf("%d bytes a volume", each)
	if each > mostHeap {
		t.Errorf("%d bytes a volume, more than %d", each, mostHeap)
	}
	runtime.KeepAlive(r)
}

// heap is how many bytes are in use after a collection.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what the first has let go
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
