package app

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// plotStart is when the first sample of these tests was taken: 14:00:30.
const plotStart = 1_800_021_630

// told are samples, one each 30 seconds, each of which is how many volumes are offline,
// unknown, degraded and healthy. Nil is one of which nothing is known.
func told(all ...[]uint32) (samples []sample) {
	for i, v := range all {
		s := sample{at: plotStart + uint32(i)*30, known: v != nil}
		copy(s.volumes[:], v)
		samples = append(samples, s)
	}
	return samples
}

// A plot is what its samples are, and its words say the same.
func TestPlots(t *testing.T) {
	t.Parallel()
	late := told([]uint32{0, 0, 0, 4}, []uint32{0, 0, 0, 4})
	late[1].at += 60 // for two samples there was none
	back := told([]uint32{0, 0, 0, 4}, []uint32{9, 9, 9, 9})
	back[1].at = back[0].at - 60
	const huge = math.MaxUint32
	for name, tc := range map[string]struct {
		samples []sample
		paths   []string // Healthy, Degraded, Unknown, Offline; nil: there is no plot
		gaps    string
		words   string
	}{
		"none": {},
		"one": {told([]uint32{0, 0, 1, 3}), []string{"M0 0H720V75H0Z", "M0 75H720V100H0Z", "", ""}, "",
			"over the last 30 seconds: at the end 3 Healthy, 1 Degraded; at most 1 Degraded at 14:00."},
		"one of which nothing is known": {told(nil), []string{"", "", "", ""}, "M0 0H720V100H0Z",
			"over the last 30 seconds: at the end not known; not known for 30 seconds."},
		"all equal": {told([]uint32{0, 0, 0, 5}, []uint32{0, 0, 0, 5}, []uint32{0, 0, 0, 5}), []string{"M0 0H720V100H0Z", "", "", ""}, "",
			"over the last 2 minutes: at the end 5 Healthy."},
		"nothing but zeros": {told([]uint32{0, 0, 0, 0}, []uint32{0, 0, 0, 0}), []string{"", "", "", ""}, "",
			"over the last minute: at the end 0 Healthy."},
		"steps": {told([]uint32{0, 0, 0, 10}, []uint32{5, 0, 0, 5}, []uint32{0, 0, 0, 5}),
			[]string{"M0 0H480V50H720V100H480V50H240V100H0Z", "", "", "M240 50H480V100H240Z"}, "",
			"over the last 2 minutes: at the end 5 Healthy; at most 5 Offline at 14:01."},
		"a gap": {told([]uint32{0, 0, 0, 5}, nil, nil, []uint32{0, 0, 0, 5}), []string{"M0 0H180V100H0ZM540 0H720V100H540Z", "", "", ""}, "M180 0H540V100H180Z",
			"over the last 2 minutes: at the end 5 Healthy; not known for 1 minute."},
		"the end is not known": {told([]uint32{0, 0, 5, 0}, nil), []string{"", "M0 0H360V100H0Z", "", ""}, "M360 0H720V100H360Z",
			"over the last minute: at the end not known; at most 5 Degraded at 14:00; not known for 30 seconds."},
		"the process stood still": {late, []string{"M0 0H180V100H0ZM540 0H720V100H540Z", "", "", ""}, "M180 0H540V100H180Z",
			"over the last 2 minutes: at the end 4 Healthy; not known for 1 minute."},
		"the clock was set back": {back, []string{"M0 0H720V100H0Z", "", "", ""}, "",
			"over the last 30 seconds: at the end 4 Healthy."},
		"few among many": {told([]uint32{1, 1, 1, 100_000}), []string{"M0 0H720V91H0Z", "M0 91H720V94H0Z", "M0 94H720V97H0Z", "M0 97H720V100H0Z"}, "",
			"over the last 30 seconds: at the end 100000 Healthy, 1 Degraded, 1 Unknown, 1 Offline; at most 1 Degraded at 14:00; at most 1 Unknown at 14:00; at most 1 Offline at 14:00."},
		"huge": {told([]uint32{huge, huge, huge, huge}), []string{"M0 0H720V25H0Z", "M0 25H720V50H0Z", "M0 50H720V75H0Z", "M0 75H720V100H0Z"}, "",
			"over the last 30 seconds: at the end 4294967295 Healthy, 4294967295 Degraded, 4294967295 Unknown, 4294967295 Offline; at most 4294967295 Degraded at 14:00; at most 4294967295 Unknown at 14:00; at most 4294967295 Offline at 14:00."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := plots(tc.samples, time.UTC)
			if tc.paths == nil {
				if all != nil {
					t.Fatalf("it is drawn: %+v", all)
				}
				return
			}
			p := all[0]
			for i, want := range tc.paths {
				if p.Bands[i].Path != want {
					t.Errorf("%s: %s, want %s", p.Bands[i].Name, p.Bands[i].Path, want)
				}
			}
			if p.Gaps != tc.gaps {
				t.Errorf("gaps: %s, want %s", p.Gaps, tc.gaps)
			}
			if want := "Volumes by health " + tc.words; p.Words != want {
				t.Errorf("it says:\n%s\nwant:\n%s", p.Words, want)
			}
		})
	}
}

// The other plots say what they are of, and how much that was.
func TestPlotsOfPolls(t *testing.T) {
	t.Parallel()
	samples := told([]uint32{}, []uint32{}, []uint32{})
	samples[0].poll, samples[1].poll, samples[2].poll = 20, 1250, 26
	samples[1].held = 14
	all := plots(samples, time.UTC)
	for i, want := range []plot{
		{Title: "Volumes by health", Words: "Volumes by health over the last 2 minutes: at the end 0 Healthy.", Most: "0"},
		{Title: "Length of polls", Words: "Length of polls over the last 2 minutes: at the end 26 ms; at most 1.2 s at 14:01.", Most: "1.2 s"},
		{Title: "Records held back", Words: "Records held back over the last 2 minutes: at the end 0; at most 14 at 14:01.", Most: "14"},
	} {
		if p := all[i]; p.Title != want.Title || p.Words != want.Words || p.Most != want.Most {
			t.Errorf("%q, %q, at most %q; want %+v", p.Title, p.Words, p.Most, want)
		}
		if got := all[i].From.Format("15:04:05") + " " + all[i].To.Format("15:04:05"); got != "14:00:00 14:01:30" {
			t.Errorf("it is of %s", got)
		}
	}
}

// Whatever a history holds, nothing is drawn outside the plot, and what is there is to be seen.
func TestPlotsStayInside(t *testing.T) {
	t.Parallel()
	h := &history{}
	for i := range 3 * maxSamples {
		n := uint32(i * 2654435761) // as good as any
		s := sample{at: plotStart + uint32(i)*30 + n%13, known: n%7 != 0}
		if s.known {
			s.poll, s.held, s.volumes = n>>(n%32), n%3, [healths]uint32{n % 2, n % 3, n >> (n % 29), n >> (n % 31)}
		}
		h.add(s)
	}
	samples, _ := h.samples()
	numbers := regexp.MustCompile(`([HV M])(\d+)`)
	for _, p := range plots(samples, time.UTC) {
		for _, b := range append(p.Bands, band{Path: p.Gaps}) {
			if strings.Contains(b.Path, "-") {
				t.Fatalf("%s: %s", p.Title, b.Path)
			}
			for _, m := range numbers.FindAllStringSubmatch(b.Path, -1) {
				most := map[string]int{"H": plotWidth, "M": plotWidth, "V": plotHeight, " ": plotHeight}[m[1]]
				if n, err := strconv.Atoi(m[2]); err != nil || n > most {
					t.Fatalf("%s %s: %s of %s", p.Title, b.Name, m[0], b.Path)
				}
			}
		}
	}
	for i, s := range slotsOf(samples) {
		if levels, _ := stack(slotsOf(samples), drawings[0]); s.volumes[offline] > 0 && levels[1][i] < plotLeast {
			t.Fatalf("sample %d: %v is drawn %d high", i, s.volumes, levels[1][i])
		}
	}
}

func TestSpans(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0 seconds", 30 * time.Second: "30 seconds", time.Minute: "1 minute", 90 * time.Second: "2 minutes",
		43 * time.Minute: "43 minutes", time.Hour: "1 hour", 2 * time.Hour: "120 minutes",
	} {
		if got := span(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
	for n, want := range map[uint32]string{
		0: "0 ms", 999: "999 ms", 1000: "1.0 s", 99_900: "99.9 s", 100_000: "2 min", 6_000_000: "2 h", math.MaxUint32: "1193 h",
	} {
		if got := milliseconds(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
