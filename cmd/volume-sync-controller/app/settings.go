package app

import (
	"cmp"
	"flag"
	"slices"

	"k8s.io/klog/v2"

	"github.com/storageos/volume-sync-controller/pkg/version"
)

// essentials are the flags whose values are told first, whether they were set or not.
var essentials = []string{"api-endpoint", "namespace", "enable-leader-election", "delete-orphans"}

// settingsInLine is how many settings a line of the log has that nobody has set.
const settingsInLine = 8

// logSettings says once what this process goes by: in the first line what tells it from others,
// and in a few more what is as by default.
func logSettings(logger klog.Logger, flags *flag.FlagSet, found map[string]string) {
	own, usual := settings(flags, found)
	logger.Info("Starting "+version.String(), own...)
	for some := range slices.Chunk(usual, 2*settingsInLine) {
		logger.Info("As by default", some...)
	}
}

// settings are names and values of flags: own are the essentials and what is not as by default,
// usual is the rest. What was found out goes before what was set. No flag holds a secret. Of
// klog's own flags only those that were set are told.
func settings(flags *flag.FlagSet, found map[string]string) (own, usual []any) {
	klogs := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(klogs)
	set := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { set[f.Name] = true })
	value := func(f *flag.Flag) string { return cmp.Or(found[f.Name], f.Value.String()) }
	for _, name := range essentials {
		own = append(own, name, value(flags.Lookup(name)))
	}
	flags.VisitAll(func(f *flag.Flag) {
		isKlogs := klogs.Lookup(f.Name) != nil
		switch {
		case f.Name == "version" || slices.Contains(essentials, f.Name) || isKlogs && !set[f.Name]:
		case isKlogs || value(f) != f.DefValue:
			own = append(own, f.Name, value(f))
		default:
			usual = append(usual, f.Name, value(f))
		}
	})
	return own, usual
}
