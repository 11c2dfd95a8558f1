package app

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
)

// row is a volume that is not well, as the page shows it.
type row struct {
	Key, Kind, Class string
	Name, VolumeID   string
	Claim, Why       string
	Since            string // with what is so since then; "" if nobody knows
	Command          string // that tells more
	Copies           []copyOn
	unwell           bool
}

// kinds are those of concerns, for people.
var kinds = map[string]struct{ name, class string }{
	string(v1.HealthOffline):  {"Offline", "bad"},
	string(v1.HealthDegraded): {"Degraded", "warn"},
	string(v1.HealthUnknown):  {"Unknown", "warn"},
	metrics.OrphanMissing:     {"Missing", "bad"},
	metrics.OrphanRecord:      {"Orphaned record", "warn"},
	metrics.OrphanUnclaimed:   {"Unclaimed", "warn"},
	controller.ConcernHeld:    {"Held back", "warn"},
	controller.ConcernInvalid: {"Invalid", "warn"},
}

// rowsOf are concerns as rows, in their order.
func rowsOf(concerns []controller.Concern, known map[string]detail, now time.Time) []row {
	var rows []row
	for _, c := range concerns {
		kind := kinds[c.Kind]
		r := row{
			Key:  strings.Join([]string{c.Kind, c.VolumeID, c.Record, c.PersistentVolume}, " "),
			Kind: kind.name, Class: kind.class, VolumeID: c.VolumeID, Why: sentence(c.Why),
			Name: cmp.Or(c.Record, c.PersistentVolume), Copies: known[c.Record].copies,
		}
		switch c.Kind {
		case string(v1.HealthOffline), string(v1.HealthDegraded), string(v1.HealthUnknown):
			r.unwell = true
			r.Since = since("Not Healthy since ", c.Since, now)
		case controller.ConcernHeld, metrics.OrphanMissing, metrics.OrphanRecord:
			r.Since = since("Absent since ", c.Since, now)
		default:
			r.Since = since("Since ", c.Since, now)
		}
		if c.Claim != "" {
			r.Claim = c.ClaimNamespace + "/" + c.Claim
		}
		switch {
		case c.Record != "":
			r.Command = "kubectl describe volume " + c.Record
		case c.PersistentVolume != "":
			r.Command = "kubectl describe persistentvolume " + c.PersistentVolume
		}
		rows = append(rows, r)
	}
	return rows
}

// place is a node that has copies of volumes that are not well.
type place struct {
	Node, Command    string
	Unusable, Usable int // copies there
}

// plainName is what may be put into a command as it is: Kubernetes' names are so, but a node is
// called here what StorageOS calls it.
var plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.:_-]*$`)

// placesOf are the nodes of rows, those with the most copies that cannot be used first, each with what
// the plugin tells of it.
func placesOf(rows []row, plugin string) []place {
	all := map[string]*place{}
	for _, r := range rows {
		for _, c := range r.Copies {
			if !r.unwell {
				continue
			}
			n := all[c.Node]
			if n == nil {
				n = &place{Node: c.Node}
				if plainName.MatchString(c.Node) {
					n.Command = plugin + " drain-check " + c.Node
				}
				all[c.Node] = n
			}
			if c.Health != "" {
				n.Unusable++
			} else {
				n.Usable++
			}
		}
	}
	places := make([]place, 0, len(all))
	for _, n := range slices.SortedFunc(maps.Values(all), func(a, b *place) int {
		return cmp.Or(cmp.Compare(b.Unusable, a.Unusable), cmp.Compare(a.Node, b.Node))
	}) {
		places = append(places, *n)
	}
	return places
}

// sentence is what an event or a condition says, as a sentence.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(text)
	text = string(unicode.ToUpper(first)) + text[size:]
	if strings.ContainsRune(".!?", rune(text[len(text)-1])) {
		return text
	}
	return text + "."
}

// since says since when something is so, with the day unless that is today.
func since(what string, at, now time.Time) string {
	if at.IsZero() {
		return ""
	}
	at = at.In(now.Location())
	if at.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return what + at.Format("15:04:05") + "."
	}
	return what + at.Format("2 January, 15:04") + "."
}

// News is how the controller is in a sentence or two, which change only when that does: a
// screen reader says them.
func (s *status) News() string {
	if !s.Leads() {
		return "This process is " + s.Role + ": only the leader knows how the volumes are."
	}
	var unwell []string
	for _, l := range slices.Concat(s.Health, s.Orphans) {
		if l.N > 0 && l.Class != "good" {
			unwell = append(unwell, number(counted(l.N))+" "+l.Name)
		}
	}
	text, well, notWell := "This process leads. ", "All volumes are well.", "Not well: "
	switch {
	case s.LastPoll == "":
		return text + "StorageOS was not listed completely yet."
	case s.Failing != "":
		text += "The last listing of StorageOS was not complete. "
	case s.Late:
		text += "The last complete poll is too long ago. "
	}
	if s.Outdated() {
		well, notWell = "All volumes were well before.", "Not well before: "
	}
	if len(unwell) == 0 {
		return text + well
	}
	return text + notWell + strings.Join(unwell, ", ") + "."
}

// pluginOf is how kubectl's plugin is called for a controller in a namespace, of the volumes of a driver.
// The plugin knows the usual ones by itself.
func pluginOf(namespace, driver string) string {
	plugin := "kubectl storageos-volumes"
	if namespace != "storageos" {
		plugin += " --controller-namespace " + namespace
	}
	if driver != controller.DefaultSettings().CSIDriver {
		plugin += " --csi-driver " + driver
	}
	return plugin
}
