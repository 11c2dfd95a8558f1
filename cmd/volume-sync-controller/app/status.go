package app

import (
	"context"
	"embed"
	"html/template"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"k8s.io/apimachinery/pkg/util/duration"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
	"github.com/storageos/volume-sync-controller/pkg/version"
)

// maxConcerns is how many orphans are shown: of more, the metrics say how many.
const maxConcerns = 200

//go:embed page
var pageFiles embed.FS

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{"sentence": sentence}).ParseFS(pageFiles, "page/*.html"))

// statusPage shows people how the controller is. It changes nothing.
type statusPage struct {
	phase    func() phase
	gatherer prometheus.Gatherer
	concerns func(most int) ([]controller.Concern, string)
	listing  func() controller.Listing
	volumes  func() map[v1.Health]int
	details  details
	changes  *changes
	history  history
	took     *latency
	late     time.Duration // the age of a poll that is not as it should be
	host     string        // of the page's own address
	keepsAll bool          // no record is deleted
	plugin   string        // how kubectl's plugin is called, for this controller
}

// status is what the page shows.
type status struct {
	Role, LastPoll, Duration, Version, Holding, Failing, Plugin string
	Late, OlderCRD, KeepsAll                                    bool
	Records, Held                                               int
	Health, Orphans, Errors                                     []level
	Concerns                                                    []row
	More                                                        bool // there are more of them
	Most                                                        int  // are shown
	Nodes                                                       []place
	Changes                                                     []change
	Plots                                                       []plot
	Since                                                       time.Time // when this process began to lead, zero if that is longer ago than the plots reach
	Now                                                         time.Time
}

// level is a number with a name, and how it looks when it is not 0.
type level struct {
	Name  string
	N     int
	Class string
}

// singular names one of what is counted.
var singular = strings.NewReplacer("volumes", "volume", "records", "record", "deletions", "deletion")

// roles are the phases, for people.
var roles = map[phase]string{starting: "starting", standby: "standby", leading: "leading"}

func (p *statusPage) status(ctx context.Context, now time.Time) (*status, error) {
	gathered, err := p.gatherer.Gather()
	if err != nil {
		return nil, err
	}
	families := map[string]*dto.MetricFamily{}
	for _, f := range gathered {
		families[f.GetName()] = f
	}
	s := &status{
		Role: roles[p.phase()], Version: version.String(), Changes: p.changes.newest(),
		Records: value(families["storageos_volume_records"], ""), Most: maxConcerns, Now: now, KeepsAll: p.keepsAll, Plugin: p.plugin,
	}
	if crd := families["storageos_volume_crd_current"]; crd != nil {
		s.OlderCRD = value(crd, "") == 0
	}
	if at := families["storageos_sync_volume_last_success_timestamp_seconds"].GetMetric(); len(at) > 0 {
		age := now.Sub(time.UnixMilli(int64(at[0].GetGauge().GetValue() * 1000)))
		s.LastPoll, s.Late = duration.HumanDuration(age)+" ago", age > p.late
		if d := p.took.last.Load(); d > 0 {
			s.Duration = milliseconds(counted(int(time.Duration(d).Milliseconds())))
		}
	}
	for health, class := range map[v1.Health]string{v1.HealthHealthy: "good", v1.HealthDegraded: "warn", v1.HealthOffline: "bad", v1.HealthUnknown: "warn"} {
		s.Health = append(s.Health, level{string(health), value(families["storageos_volumes"], string(health)), class})
	}
	sortLevels(s.Health)
	orphans := families["storageos_volume_orphans"]
	s.Orphans = []level{
		{"missing volumes", value(orphans, metrics.OrphanMissing), "bad"},
		{"unclaimed volumes", value(orphans, metrics.OrphanUnclaimed), "warn"},
		{"orphaned records", value(orphans, metrics.OrphanRecord), "warn"},
		{"deletions held", value(families["storageos_volume_deletions_held"], ""), "warn"},
		{"invalid", value(families["storageos_volumes_invalid"], ""), "warn"},
	}
	for i, l := range s.Orphans {
		if l.N == 1 {
			s.Orphans[i].Name = singular.Replace(l.Name)
		}
	}
	for _, m := range families["storageos_sync_volume_errors_total"].GetMetric() {
		s.Errors = append(s.Errors, level{m.GetLabel()[0].GetValue(), int(m.GetCounter().GetValue()), "bad"})
	}
	concerns, holding := p.concerns(maxConcerns + 1)
	s.Holding, s.More = holding, len(concerns) > maxConcerns
	concerns = concerns[:min(len(concerns), maxConcerns)]
	s.Concerns = rowsOf(concerns, p.details.of(ctx, concerns), now)
	s.Nodes = placesOf(s.Concerns, s.Plugin)
	listing := p.listing()
	s.Failing, s.Held = listing.Failing, listing.Held
	samples, since := p.history.samples()
	s.Plots = plots(samples, now.Location())
	if len(samples) < maxSamples && !since.IsZero() {
		s.Since = since.In(now.Location())
	}
	return s, nil
}

// Leads tells whether this process leads: no other knows how the volumes are.
func (s *status) Leads() bool { return s.Role == roles[leading] }

// Knows tells whether it knows that: it has listed StorageOS.
func (s *status) Knows() bool { return s.Leads() && s.LastPoll != "" }

// Outdated tells whether the numbers are of before: StorageOS was not listed completely the last time,
// or too long ago.
func (s *status) Outdated() bool { return s.Failing != "" || s.Late }

// sortLevels puts what is well first.
func sortLevels(levels []level) {
	order := map[string]int{string(v1.HealthHealthy): 0, string(v1.HealthDegraded): 1, string(v1.HealthOffline): 2, string(v1.HealthUnknown): 3}
	sorted := make([]level, len(levels))
	for _, l := range levels {
		sorted[order[l.Name]] = l
	}
	copy(levels, sorted)
}

// value is that of the gauge with this label's value, 0 if there is none.
func value(f *dto.MetricFamily, label string) int {
	for _, m := range f.GetMetric() {
		if label == "" || m.GetLabel()[0].GetValue() == label {
			return int(m.GetGauge().GetValue())
		}
	}
	return 0
}

// handler serves the page. All of it comes from here: it works without another
// network, and the browser is told to take nothing from elsewhere.
func (p *statusPage) handler() http.Handler {
	files, err := fs.Sub(pageFiles, "page")
	if err != nil {
		panic(err) // it is embedded
	}
	mux := http.NewServeMux()
	show := func(part string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			s, err := p.status(r.Context(), time.Now())
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_ = pageTemplate.ExecuteTemplate(w, part, s) // the reader has gone
		}
	}
	mux.Handle("GET /{$}", show("page.html"))
	mux.Handle("GET /status", show("status"))
	for _, name := range []string{"page.css", "page.js"} {
		mux.Handle("GET /"+name, http.FileServerFS(files))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		if !p.answers(r.Host) {
			http.Error(w, "The status page answers only to localhost, to IP addresses and to the host of -status-addr: another name may be a foreign page's.", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})
}
