package app

import (
	"io"
	"log/slog"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
)

// The values of -logging-format.
const (
	formatText = "text"
	formatJSON = "json"
)

// setLogger gives klog its format. Text is klog's own; for JSON, klog still
// decides what is logged (-v) and slog writes it, a line each.
func setLogger(format string, w io.Writer) {
	if format == formatJSON {
		handler := slog.NewJSONHandler(w, &slog.HandlerOptions{Level: slog.Level(-128)})
		klog.SetLogger(logr.FromSlogHandler(handler))
	}
}
