package app

import (
	"encoding/json"
	"errors"
	"log"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/klog/v2"
)

// talk is a program that logs in every way, as its flags say.
func talk(args []string) {
	o, err := parse(args, os.Stdout)
	if err != nil {
		panic(err)
	}
	setLogger(o.loggingFormat, os.Stderr)
	logger := klog.LoggerWithValues(klog.LoggerWithName(klog.Background(), "volumes"), "volumeID", "vol")
	logger.Info("Told", "after", 90*time.Second, "pv", klog.KRef("", "pv"))
	logger.V(2).Info("Told on request", "lines", "one\ntwo")
	logger.V(4).Info("Told on insistent request")
	logger.Error(errors.New("broken"), "Failed")
	log.Print("told by net/http")
}

func TestLogText(t *testing.T) {
	t.Parallel()
	out := strings.Join(start(t, asTalker, "-v=2").lines(""), "")
	for _, want := range []string{
		`"Told" logger="volumes" volumeID="vol" after="1m30s" pv="pv"` + "\n", `"Told on request"`,
		`"Failed" err="broken" logger="volumes" volumeID="vol"` + "\n", " told by net/http\n",
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
	t.Parallel()
	type entry struct{ Level, Msg, Logger, VolumeID, After, Err string }
	for v, want := range map[string][]entry{
		"0": {
			{Level: "INFO", Msg: "Told", Logger: "volumes", VolumeID: "vol", After: "1m30s"},
			{Level: "ERROR", Msg: "Failed", Logger: "volumes", VolumeID: "vol", Err: "broken"},
			{Level: "INFO", Msg: "told by net/http"},
		},
		"2": {
			{Level: "INFO", Msg: "Told", Logger: "volumes", VolumeID: "vol", After: "1m30s"},
			{Level: "DEBUG", Msg: "Told on request", Logger: "volumes", VolumeID: "vol"},
			{Level: "ERROR", Msg: "Failed", Logger: "volumes", VolumeID: "vol", Err: "broken"},
			{Level: "INFO", Msg: "told by net/http"},
		},
	} {
		out := start(t, asTalker, "-logging-format=json", "-v="+v).lines("")
		var got []entry
		for _, line := range out {
			var e entry
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Errorf("-v=%s: not JSON: %q: %v", v, line, err)
			}
			got = append(got, e)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-v=%s (-want +got):\n%s", v, diff)
		}
	}
}
