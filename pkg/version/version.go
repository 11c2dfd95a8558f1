// Package version says what this binary was built from.
package version

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Set by the linker (-X); see the Makefile. A plain `go build` leaves them
// empty and the build information that Go itself records is used.
var (
	version string
	commit  string
)

// Version is the released version, or what Go knows of the module's.
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// Commit is the commit that was built, or "unknown".
func Commit() string {
	if commit != "" {
		return commit
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return "unknown"
}

// String is the line that -version prints.
func String() string {
	return fmt.Sprintf("volume-sync-controller %s (commit %s, %s, %s/%s)",
		Version(), Commit(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
