package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"log"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
)

// logged is what is written in one format at one verbosity. The logger is the
// process's own, so tests that use it take their turn.
func logged(t *testing.T, format, v string, say func()) string {
	t.Helper()
	defer klog.CaptureState().Restore()
	defer func(w io.Writer, flags int) {
		log.SetOutput(w)
		log.SetFlags(flags)
	}(log.Writer(), log.Flags())
	var out bytes.Buffer
	fs := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(fs)
	if err := fs.Parse([]string{"-logtostderr=false", "-v=" + v}); err != nil {
		t.Fatal(err)
	}
	klog.SetOutput(&out) // where text goes instead of stderr
	setLogger(format, &out)
	say()
	klog.Flush()
	return out.String()
}

func talk() {
	logger := klog.Background().WithName("volumes").WithValues("volumeID", "vol")
	logger.Info("Told", "after", 90*time.Second, "pv", klog.KObj(&corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "pv"}}))
	logger.V(2).Info("Told on request", "lines", "one\ntwo")
	logger.V(4).Info("Told on insistent request")
	logger.Error(errors.New("broken"), "Failed")
	klog.InfoS("Told by other means")
	log.Print("told by net/http")
}

func TestLogText(t *testing.T) {
	out := logged(t, formatText, "2", talk)
	for _, want := range []string{
		`"Told" logger="volumes" volumeID="vol" after="1m30s" pv="pv"` + "\n", `"Told on request"`,
		`"Failed" err="broken" logger="volumes" volumeID="vol"` + "\n", `"Told by other means"`, "] told by net/http\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("it lacks %s:\n%s", want, out)
		}
	}
	if strings.Contains(out, "insistent") {
		t.Errorf("it disregards -v:\n%s", out)
	}
}

// Each record is one line of JSON, whoever it comes from.
func TestLogJSON(t *testing.T) {
	type entry struct{ Level, Msg, Logger, VolumeID, After, Err string }
	for v, want := range map[string][]entry{
		"0": {
			{Level: "INFO", Msg: "Told", Logger: "volumes", VolumeID: "vol", After: "1m30s"},
			{Level: "ERROR", Msg: "Failed", Logger: "volumes", VolumeID: "vol", Err: "broken"},
			{Level: "INFO", Msg: "Told by other means"},
			{Level: "INFO", Msg: "told by net/http"},
		},
		"2": {
			{Level: "INFO", Msg: "Told", Logger: "volumes", VolumeID: "vol", After: "1m30s"},
			{Level: "DEBUG", Msg: "Told on request", Logger: "volumes", VolumeID: "vol"},
			{Level: "ERROR", Msg: "Failed", Logger: "volumes", VolumeID: "vol", Err: "broken"},
			{Level: "INFO", Msg: "Told by other means"},
			{Level: "INFO", Msg: "told by net/http"},
		},
	} {
		out := logged(t, formatJSON, v, talk)
		var got []entry
		for line := range strings.Lines(out) {
			var e entry
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Errorf("-v=%s: not JSON: %q: %v", v, line, err)
			}
			got = append(got, e)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-v=%s (-want +got):\n%s\n%s", v, diff, out)
		}
	}
}
