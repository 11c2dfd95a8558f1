// Chart packs a Helm chart, as `helm package` does.
//
// Usage: chart FOLDER DESTINATION
package main

import (
	"fmt"
	"log/slog"
	"os"

	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/chart/v2/util"
)

func main() {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // Helm logs each link in the chart
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: chart FOLDER DESTINATION")
		os.Exit(2)
	}
	c, err := loader.Load(os.Args[1])
	if err == nil {
		_, err = util.Save(c, os.Args[2])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "chart:", err)
		os.Exit(1)
	}
}
