package app

import (
	"io"
	"log/slog"
	"math"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
)

// The values of -logging-format.
const (
	formatText = "text"
	formatJSON = "json"
)

// setLogger gives klog its format. Text is klog's own; for JSON, klog still
// decides what is logged (-v) and slog writes it, a line each; so it does what
// the standard library logs, as net/http does.
func setLogger(format string, w io.Writer) {
	if format == formatJSON {
		handler := slog.NewJSONHandler(w, &slog.HandlerOptions{Level: slog.Level(math.MinInt), ReplaceAttr: readable})
		klog.SetLogger(logr.FromSlogHandler(handler))
		slog.SetDefault(slog.New(handler))
	}
}

// readable writes what other programs read as they expect it: a duration as
// text does, "5s", not in nanoseconds; the level of all that needs -v as DEBUG,
// not DEBUG+2.
func readable(_ []string, a slog.Attr) slog.Attr {
	switch v := a.Value.Any().(type) {
	case time.Duration:
		a.Value = slog.StringValue(v.String())
	case slog.Level:
		if v < slog.LevelInfo {
			a.Value = slog.AnyValue(slog.LevelDebug)
		}
	}
	return a
}
