package controller

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

var update = flag.Bool("update", false, "write what the lives of volumes are into their files")

// life is a history that is told by a file of testdata/lives: a command a line, below it what
// the controller wrote and said.
type life struct {
	*history
	begun   time.Time
	records map[string]string // what each says, by name
	out     []string

	questions []string          // volumes that were asked for, and that was not noted yet
	meanwhile map[string]string // what happens while a volume is asked for, by ID
}

// command is what may happen, as the files say it.
type command struct {
	says string
	do   func(l *life, args []string)
}

func commands() []command {
	return []command{
		{`listing`, func(l *life, _ []string) { l.round() }},
		{`listing without (.+)`, func(l *life, args []string) {
			l.api.Hidden = map[string]bool{}
			for id := range strings.FieldsSeq(args[0]) {
				l.api.Hidden[id] = true
			}
			l.round()
			l.api.Hidden = nil
		}},
		{`its lists lack none`, func(l *life, _ []string) { l.api.Hidden = nil }},
		{`its lists lack (.+)`, func(l *life, args []string) {
			l.api.Hidden = map[string]bool{}
			for id := range strings.FieldsSeq(args[0]) {
				l.api.Hidden[id] = true
			}
		}},
		{`listing that fails`, func(l *life, _ []string) {
			l.api.Fail = func(string, int) error { return errDown }
			l.round()
			l.api.Fail = nil
		}},
		{`(\S+) pass`, func(l *life, args []string) { l.pass(must2(time.ParseDuration(args[0]))) }},
		{`StorageOS has no volumes`, func(l *life, _ []string) { l.api.Lists["one"] = nil }},
		{`StorageOS has only the first (\d+)`, func(l *life, args []string) { l.api.Lists["one"] = l.api.Lists["one"][:number(args[0])] }},
		{`StorageOS has (.+)`, func(l *life, args []string) {
			l.api.Lists["one"] = nil
			for v := range strings.SplitSeq(args[0], ", ") {
				if !strings.Contains(v, " ") {
					v += " 1"
				}
				l.api.Lists["one"] = append(l.api.Lists["one"], v)
			}
		}},
		{`StorageOS does not answer`, func(l *life, _ []string) { l.api.Fail = func(string, int) error { return errDown } }},
		{`StorageOS does not answer for single volumes`, func(l *life, _ []string) {
			l.api.Fail = func(call string, _ int) error {
				if strings.HasPrefix(call, "volume ") {
					return errDown
				}
				return nil
			}
		}},
		{`StorageOS answers`, func(l *life, _ []string) { l.api.Fail = nil }},
		{`another cluster answers`, func(l *life, _ []string) { l.other() }},
		{`the first cluster answers`, func(l *life, _ []string) { l.first() }},
		{`another process leads`, func(l *life, _ []string) { l.lead() }},
		{`PersistentVolume (\S+) comes`, func(l *life, args []string) {
			pv := boundPV(args[0], args[0])
			pv.ClaimNamespace, pv.ClaimName = state.Intern("team"), args[0]
			l.setPV(nil, pv)
		}},
		{`PersistentVolume (\S+) is (Bound|Released|Failed)`, func(l *life, args []string) {
			pv := *l.pvs[args[0]]
			pv.Phase = state.Intern(corev1.PersistentVolumePhase(args[1]))
			l.setPV(l.pvs[args[0]], &pv)
		}},
		{`PersistentVolume (\S+) is deleted`, func(l *life, args []string) { l.setPV(l.pvs[args[0]], nil) }},
		{`PersistentVolumes of the first (\d+) are deleted`, func(l *life, args []string) {
			for n := range number(args[0]) {
				l.setPV(l.pvs[fmt.Sprint("v", n)], nil)
			}
		}},
		{`while (\S+) is asked for, (.+)`, func(l *life, args []string) { l.meanwhile[args[0]] = args[1] }},
		{`somebody sets the annotation (\S+) of (\S+) to (\S+)`, func(l *life, args []string) {
			l.edit(args[1], func(r *v1.Volume) {
				metav1.SetMetaDataAnnotation(&r.ObjectMeta, v1.SchemeGroupVersion.Group+"/"+args[0], args[2])
			})
		}},
		{`somebody sets the size of (\S+) to (\d+)`, func(l *life, args []string) {
			l.edit(args[0], func(r *v1.Volume) { r.Spec.SizeBytes = int64(number(args[1])) })
		}},
		{`somebody deletes record (\S+)`, func(l *life, args []string) { l.history.records.store(l.history.records.records[args[0]], nil) }},
		{`the replaced program left record (\S+)`, func(l *life, args []string) {
			l.history.records.store(nil, &v1.Volume{
				ObjectMeta: metav1.ObjectMeta{Name: args[0], UID: "left", CreationTimestamp: metav1.Now()},
				Status:     v1.VolumeStatus{VolumeID: args[0]},
			})
		}},
		{`Kubernetes takes no writes`, func(l *life, _ []string) { l.history.records.fail = func(string) error { return errDown } }},
		{`Kubernetes takes writes`, func(l *life, _ []string) { l.history.records.fail = nil }},
		{`the answer to the next write is lost`, func(l *life, _ []string) {
			l.history.records.lost = func(string) error { l.history.records.lost = nil; return errDown }
		}},
	}
}

func number(s string) (n int) {
	_, _ = fmt.Sscan(s, &n) // a pattern has seen that it is one
	return n
}

func must2[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// asked takes down which volumes are asked for.
func (l *life) asked(_ context.Context, call string) {
	id, ok := strings.CutPrefix(call, "volume ")
	if !ok {
		return
	}
	l.questions = append(l.questions, id)
	if command := l.meanwhile[id]; command != "" {
		delete(l.meanwhile, id)
		l.note("meanwhile: %s", command)
		l.do(command)
	}
}

// Event takes down what is said.
func (l *life) Event(on runtime.Object, _, reason, message string) {
	ref := on.(*corev1.ObjectReference)
	l.note("%s of %s: %s", reason, strings.TrimSpace(ref.Kind+" "+ref.Name), message)
}

func (l *life) noteQuestions() {
	if ids := l.questions; len(ids) > 0 {
		l.questions = nil
		l.note("StorageOS is asked for %s", few(ids))
	}
}

func (l *life) note(format string, args ...any) {
	l.noteQuestions()
	at := time.Since(l.begun).Round(time.Second)
	l.out = append(l.out, fmt.Sprintf("    %02d:%02d  ", int(at.Minutes()), int(at.Seconds())%60)+fmt.Sprintf(format, args...))
}

// pass lets listings come as the poller makes them.
func (l *life) pass(d time.Duration) {
	for left := d; left > 0; left -= l.settings.PollInterval {
		l.sleep(min(left, l.settings.PollInterval))
		if left >= l.settings.PollInterval {
			l.round()
		}
		l.settle()
	}
}

// settle lets the watches tell what there is to tell, and the workers work.
func (l *life) settle() {
	for l.tell(l.leader, -1); l.leader.queue.Len() > 0; l.tell(l.leader, -1) {
		l.work(l.leader, 1000)
	}
	l.look()
}

// look takes down which records say something else than before.
func (l *life) look() {
	l.noteQuestions()
	is, news := map[string]string{}, map[string][]string{}
	for name, r := range l.history.records.records {
		is[name] = l.says(r)
		switch was, had := l.records[name]; {
		case !had:
			news["is made: "+is[name]] = append(news["is made: "+is[name]], name)
		case was != is[name]:
			news["says: "+is[name]] = append(news["says: "+is[name]], name)
		}
	}
	for name := range l.records {
		if _, has := is[name]; !has {
			news["is deleted"] = append(news["is deleted"], name)
		}
	}
	l.records = is
	for _, what := range slices.Sorted(maps.Keys(news)) {
		l.note("record %s %s", few(news[what]), what)
	}
}

// few are names, in the order of their numbers, but not more than a reader wants to see.
func few(names []string) string {
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(len(a)-len(b), cmp.Compare(a, b)) })
	if n := len(names); n > 3 {
		return fmt.Sprintf("%s ... %s (%d)", names[0], names[n-1], n)
	}
	return strings.Join(names, " ")
}

// says is what a record says, in a line.
func (l *life) says(r *v1.Volume) string {
	parts := []string{fmt.Sprint(r.Spec.SizeBytes, " B"), strings.TrimSpace(fmt.Sprint(r.Status.Health, " ", r.Status.Ready))}
	for _, kind := range []string{v1.ConditionPresent, v1.ConditionBound} {
		if c := meta.FindStatusCondition(r.Status.Conditions, kind); c != nil {
			parts = append(parts, c.Reason)
		}
	}
	if since, err := time.Parse(time.RFC3339, r.Annotations[v1.AnnotationAbsentSince]); err == nil {
		parts = append(parts, fmt.Sprint("absent since ", since.Sub(l.begun.Truncate(time.Second))))
	}
	return strings.Join(parts, ", ")
}

// live does what the lines of a file say, and returns the file as it should be.
func (l *life) live(lines []string) []string {
	for _, line := range lines {
		if strings.HasPrefix(line, "    ") {
			continue // what is to be shown
		}
		l.out = append(l.out, line)
		if command, ok := strings.CutPrefix(line, "> "); ok && !strings.HasPrefix(command, "start ") {
			l.do(command)
			l.look() // at what a hand has done
			l.settle()
		}
	}
	return l.out
}

func (l *life) do(line string) {
	for _, c := range commands() {
		if m := regexp.MustCompile("^" + c.says + "$").FindStringSubmatch(line); m != nil {
			c.do(l, m[1:])
			return
		}
	}
	panic(fmt.Sprintf("nobody knows what %q is", line))
}

// start reads how a life starts.
var start = regexp.MustCompile(`(?m)^> start with (\d+) volumes?(?:, grace (\S+))?(?:, hold (\S+))?$`)

// Each file of testdata/lives tells a life of a volume, with what the controller wrote and
// said. With -update it is written anew.
func TestLives(t *testing.T) {
	t.Parallel()
	files := must2(filepath.Glob("testdata/lives/*.txt"))
	if len(files) == 0 {
		t.Fatal("there are none")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			text := string(must2(os.ReadFile(file)))
			m := start.FindStringSubmatch(text)
			if m == nil {
				t.Fatal("it does not say how it starts")
			}
			var is []string
			told(t, number(m[1]), func(s *Settings) {
				s.OrphanGracePeriod = must2(time.ParseDuration(cmp.Or(m[2], s.OrphanGracePeriod.String())))
				s.MassOrphanHold = must2(time.ParseDuration(cmp.Or(m[3], s.MassOrphanHold.String())))
			}, func(h *history) {
				l := &life{history: h, begun: time.Now(), meanwhile: map[string]string{}}
				h.api.Before = l.asked
				l.look()
				l.out = nil // that is how it starts
				h.hears, h.leader.events = l, l
				is = l.live(strings.Split(strings.TrimRight(text, "\n"), "\n"))
			})
			got := strings.Join(is, "\n") + "\n"
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if diff := gocmp.Diff(text, got); diff != "" {
				t.Errorf("it went another way (-the file, +what happened); -update writes it anew:\n%s", diff)
			}
		})
	}
}
