package app

import (
	"os"
	"runtime/debug"
)

// gcPercent is how much garbage there may be beside what is in use. Most of that is
// caches, which stay: half of Go's default costs little time and spares much memory.
const gcPercent = 50

// spareMemory sets how much garbage there may be, unless somebody else has.
func spareMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}

// returnMemory gives the system what the process does not need any more. Go does it by
// itself, but where a start has left a lot it takes minutes.
func returnMemory() { go debug.FreeOSMemory() }
