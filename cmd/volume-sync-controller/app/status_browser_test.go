package app

import (
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/storageos/volume-sync-controller/pkg/controller"
)

var pictures = flag.String("pictures", "", "`folder` that TestStatusPageInChromium puts pictures of the page into")

// The page is used as people do: in a browser, with keys, wide and narrow, light and dark, and
// by a screen reader.
func TestStatusPageInChromium(t *testing.T) {
	t.Parallel()
	b := startBrowser(t)
	for name, use := range map[string]func(*testing.T, *browser){
		"it goes with the times":       goesWithTheTimes,
		"its rows are searched":        isSearched,
		"an update leaves what it may": leavesWhatItMay,
		"it is used by the keyboard":   isUsedByKeyboard,
		"it fits":                      fits,
		"its colours can be read":      canBeRead,
		"a screen reader can tell it":  canBeTold,
	} {
		t.Run(name, func(t *testing.T) { use(t, b) })
	}
}

// turn has the story go on, and waits until the page shows the next chapter.
func (s *story) turn(p *tab) {
	p.Helper()
	s.chapter.Store(1)
	p.until(`document.querySelector('[data-key^="Degraded new"]')`)
}

// refreshed waits until the page has been brought up to date once more, which takes away what
// is not the server's.
func refreshed(p *tab) {
	p.Helper()
	p.do("Runtime.evaluate", map[string]any{"expression": "document.getElementById('now').dataset.old = 1"})
	p.until(`!("old" in document.getElementById("now").dataset)`)
}

func goesWithTheTimes(t *testing.T, b *browser) {
	page, now := testPage(t)
	h := page.handler()
	var asked, away atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if away.Load() != 0 {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		if r.URL.Path == "/status" && asked.Add(1) == 1 {
			now.Store(int32(leading)) // after the page itself, by which it was starting
		}
		h.ServeHTTP(w, r)
	}))
	defer server.Close()
	p := b.open(t, server.URL+"/", 1280, 900, "light")
	p.until(`document.querySelector(".tile b").textContent === "leading"`)
	p.until(`document.getElementById("stale").textContent === ""`)
	away.Store(1)
	p.until(`document.getElementById("stale").textContent.includes("no answer")`)
	away.Store(0)
	p.until(`document.getElementById("stale").textContent === ""`)
	p.mu.Lock()
	p.complaints = slices.DeleteFunc(p.complaints, func(c string) bool { return strings.Contains(c, "status of 500") })
	p.mu.Unlock()
}

// visible is the text of the first two cells of the rows that are shown of the first table.
const visible = `[...document.querySelectorAll("#unwell tbody tr")].filter((row) => row.offsetHeight).map((row) => row.cells[0].textContent + " " + row.cells[2].textContent)`

func isSearched(t *testing.T, b *browser) {
	s, url := newStory(t)
	p := b.open(t, url, 1280, 900, "light")
	search := func(text string, found string, want ...string) {
		t.Helper()
		p.do("Runtime.evaluate", map[string]any{"expression": `filter.focus(); filter.select()`})
		p.press("Delete", 46)
		p.types(text)
		if got := eval[[]string](p, visible); !slices.Equal(got, want) {
			t.Errorf("%q shows %q, want %q", text, got, want)
		}
		if got := eval[string](p, `document.getElementById("found").textContent`); got != found {
			t.Errorf("%q: the page says %q, want %q", text, got, found)
		}
	}
	// By claim, namespace, volume, node, reason, and more than one of them.
	search("LEDGER", "Shown: 1 of 8 not well, 0 of 3 nodes, 0 of 5 last changes.", "Offline bank/data-ledger-0")
	search("bank/", "Shown: 1 of 8 not well, 0 of 3 nodes, 0 of 5 last changes.", "Offline bank/data-ledger-0")
	search("pvc-31", "Shown: 1 of 8 not well, 0 of 3 nodes, 0 of 5 last changes.", "Held back web/cache")
	search("worker-2", "Shown: 1 of 8 not well, 1 of 3 nodes, 0 of 5 last changes.", "Degraded team-with-a-very-long-name-that-does-not-fit/a-claim-with-a-name-that-is-as-long-as-some-people-make-them")
	search("volumehandle", "Shown: 1 of 8 not well, 0 of 3 nodes, 0 of 5 last changes.", "Invalid none")
	search("shop  degraded ", "Shown: 2 of 8 not well, 0 of 3 nodes, 0 of 5 last changes.", "Degraded shop/data-postgres-0", "Degraded shop/data-postgres-1")
	search("VolumeOffline", "Shown: 0 of 8 not well, 0 of 3 nodes, 1 of 5 last changes.")
	if !eval[bool](p, `document.querySelector("#unwell .none").offsetHeight > 0`) {
		t.Error("it is not said that nothing matches")
	}
	if eval[bool](p, `document.querySelector("#changes .none").offsetHeight > 0`) {
		t.Errorf("it is said that nothing matches where something does")
	}
	search("", "", eval[[]string](p, `[...document.querySelectorAll("#unwell tbody tr")].map((row) => row.cells[0].textContent + " " + row.cells[2].textContent)`)...)

	// What is typed stays, is not finished by an update, and what comes is sifted too.
	search("postgres", "Shown: 2 of 8 not well, 0 of 3 nodes, 0 of 5 last changes.", "Degraded shop/data-postgres-0", "Degraded shop/data-postgres-1")
	s.turn(p)
	if got, want := eval[string](p, `document.getElementById("found").textContent`), "Shown: 3 of 7 not well, 0 of 3 nodes, 0 of 5 last changes."; got != want {
		t.Errorf("after an update the page says %q, want %q", got, want)
	}
	p.types("-2")
	if got, want := eval[[]string](p, visible), []string{"Degraded shop/data-postgres-2"}; !slices.Equal(got, want) {
		t.Errorf("after an update it shows %q, want %q", got, want)
	}
	if got := eval[string](p, `document.activeElement.id + " " + filter.value + " " + filter.selectionStart`); got != "filter postgres-2 10" {
		t.Errorf("after an update the search is %q", got)
	}
	if got, want := eval[string](p, `document.getElementById("found").textContent`), "Shown: 1 of 7 not well, 0 of 3 nodes, 0 of 5 last changes."; got != want {
		t.Errorf("after an update the page says %q, want %q", got, want)
	}
}

// What is the same is not made anew: a screen reader would say it again, a selection would go.
func leavesWhatItMay(t *testing.T, b *browser) {
	s, url := newStory(t)
	p := b.open(t, url, 1280, 900, "light")
	eval[bool](p, `(() => {
		filter.value = "worker-1";
		sift();
		window.changed = [];
		new MutationObserver((all) => { for (const m of all) changed.push(m.target.nodeName + " " + m.target.textContent); })
			.observe(document.querySelector("#unwell table"), {subtree: true, childList: true, characterData: true, attributes: true});
		for (const id of ["news", "found", "stale"])
			new MutationObserver((all) => { for (const m of all) changed.push(id); })
				.observe(document.getElementById(id), {subtree: true, childList: true, characterData: true, attributes: true});
		document.querySelector('[data-key*="pvc-31"] code').focus();
		return true;
	})()`)
	refreshed(p)
	if got := eval[[]string](p, "changed"); len(got) != 0 {
		t.Errorf("nothing has changed, and this is made anew: %q", got)
	}
	s.turn(p)
	if got := eval[[]string](p, `changed.filter((what) => !what.startsWith("TBODY") && what !== "found")`); len(got) != 0 {
		t.Errorf("rows have come and gone, and this is made anew too: %q", got)
	}
	const want = "kubectl describe volume pvc-31000000-0000-4000-8000-000000000000"
	if got := eval[string](p, "document.activeElement.textContent"); got != want {
		t.Errorf("the focus is on %q", got)
	}
	if got := eval[string](p, "getSelection().toString()"); got != want {
		t.Errorf("%q is selected", got)
	}
	if got := eval[int](p, `document.querySelectorAll("#unwell tbody tr").length`); got != 7 {
		t.Errorf("%d rows", got)
	}
	// Where rows have changed their order, the focus goes with its row.
	s.chapter.Store(2)
	p.until(`document.querySelector("#unwell tbody tr").dataset.key.startsWith("unclaimed")`)
	if got := eval[string](p, `document.activeElement.textContent + " " + getSelection()`); got != want+" "+want {
		t.Errorf("where rows have changed their order the focus and what is selected are %q", got)
	}
}

// The tabulator goes to everything that can be used, in the order of the page and to be seen,
// and what it comes to can be copied.
func isUsedByKeyboard(t *testing.T, b *browser) {
	_, url := newStory(t)
	p := b.open(t, url, 1280, 900, "light")
	want := eval[[]string](p, `[...document.querySelectorAll("input, [tabindex]")].map((e) => e.id || e.textContent)`)
	if len(want) != 1+8+3 || want[0] != "filter" {
		t.Fatalf("there is to be used: %q", want)
	}
	for i, name := range want {
		p.press("Tab", 9)
		if got := eval[string](p, "document.activeElement.id || document.activeElement.textContent"); got != name {
			t.Fatalf("tabulator %d leads to %q, want %q", i, got, name)
		}
		if outline := eval[string](p, `getComputedStyle(document.activeElement).outlineStyle + " " + getComputedStyle(document.activeElement).outlineWidth`); outline != "solid 3px" {
			t.Errorf("the focus on %q is not to be seen: %s", name, outline)
		}
		if selected := eval[string](p, "getSelection().toString()"); i > 0 && selected != name {
			t.Errorf("on %q, %q is selected", name, selected)
		}
	}
	p.press("Tab", 9)
	if !eval[bool](p, `document.activeElement === document.body`) {
		t.Error("the tabulator does not leave the page")
	}
}

// Nothing has to be scrolled sideways, and nothing is cut off.
func fits(t *testing.T, b *browser) {
	s, url := newStory(t)
	if *pictures == "" {
		failing := strings.Repeat("noWordMayBeTooLong", 30)
		s.listing = func() controller.Listing { return controller.Listing{Failing: failing} }
	}
	for _, scheme := range []string{"light", "dark"} {
		p := b.open(t, url, 320, 900, scheme)
		for _, width := range []int{320, 480, 768, 900, 1280, 2560} {
			p.size(width, 900)
			if got := eval[int](p, "document.documentElement.scrollWidth"); got > width {
				t.Errorf("at %d pixels it is %d wide", width, got)
			}
			if over := eval[[]string](p, outside); len(over) != 0 {
				t.Errorf("at %d pixels this does not fit: %q", width, over)
			}
			if *pictures != "" {
				for i := range 5 {
					p.shoot(filepath.Join(*pictures, fmt.Sprintf("%d-%s-%d.png", width, scheme, i)), i*1150, width, 1150)
				}
			}
		}
	}
}

// outside is what sticks out of the page, or of what it is in. The heads of tables are cut
// off by intent where rows are cards.
const outside = `[...document.querySelectorAll("body *")].filter((e) => !e.closest("svg, thead") && (
	e.getBoundingClientRect().right > innerWidth + 1 || e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== "inline"
)).map((e) => e.nodeName + " " + e.textContent.slice(0, 40))`

// contrast is the lowest contrast of a text with what is behind it, as WCAG 2 counts it, and
// which text that is.
const contrast = `(() => {
	const rgb = (text) => text.match(/[\d.]+/g).map(Number);
	const light = (c) => [0.2126, 0.7152, 0.0722].reduce((sum, part, i) => {
		const v = c[i] / 255;
		return sum + part * (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
	}, 0);
	const behind = (e) => {
		const c = rgb(getComputedStyle(e).backgroundColor);
		return c[3] === 0 ? behind(e.parentElement) : c;
	};
	let lowest = {Ratio: 99, Text: "", Seen: 0};
	for (const e of document.querySelectorAll("body, body *")) {
		if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) || e.closest("svg")) continue;
		const [a, b] = [light(rgb(getComputedStyle(e).color)), light(behind(e))];
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		lowest.Seen++;
		if (ratio < lowest.Ratio) lowest = {Ratio: ratio, Text: e.nodeName + "." + e.className + " " + e.textContent, Seen: lowest.Seen};
	}
	return lowest;
})()`

// areas is the lowest contrast of what is drawn with what is behind it.
const areas = `(() => {
	const light = (text) => [0.2126, 0.7152, 0.0722].reduce((sum, part, i) => {
		const v = Number(text.match(/[\d.]+/g)[i]) / 255;
		return sum + part * (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
	}, 0);
	return Math.min(...[...document.querySelectorAll("svg path:not(.gap)")].map((e) => {
		const [a, b] = [light(getComputedStyle(e).fill), light(getComputedStyle(e.parentElement).backgroundColor)];
		return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
	}));
})()`

func canBeRead(t *testing.T, b *browser) {
	_, url := newStory(t)
	var papers []string
	for _, scheme := range []string{"light", "dark"} {
		p := b.open(t, url, 1280, 900, scheme)
		p.do("Runtime.evaluate", map[string]any{"expression": `document.getElementById("stale").textContent = "no answer, this is old"`})
		lowest := eval[struct {
			Ratio float64
			Text  string
			Seen  int
		}](p, contrast)
		if lowest.Ratio < 4.5 || lowest.Seen < 50 {
			t.Errorf("%s: of %d texts, %q has a contrast of %.2f", scheme, lowest.Seen, lowest.Text, lowest.Ratio)
		}
		if got := eval[float64](p, areas); got < 3 {
			t.Errorf("%s: a part of a plot has a contrast of %.2f", scheme, got)
		}
		papers = append(papers, eval[string](p, "getComputedStyle(document.body).backgroundColor"))
	}
	if papers[0] == papers[1] {
		t.Errorf("light and dark are both %s", papers[0])
	}
}

// What the page shows has roles and names, narrow as well, where tables are laid out as cards.
func canBeTold(t *testing.T, b *browser) {
	_, url := newStory(t)
	for _, width := range []int{320, 1280} {
		p := b.open(t, url, width, 900, "light")
		roles, all := map[string]int{}, p.spoken()
		for _, s := range all {
			roles[s.Role]++
		}
		for role, want := range map[string]int{"image": 3, "heading": 8, "table": 3, "row": 1 + 8 + 1 + 3 + 1 + 5, "columnheader": 5 + 4 + 3, "rowheader": 8 + 3 + 5, "searchbox": 1, "main": 1} {
			if roles[role] != want {
				t.Errorf("at %d pixels there are %d of %s, want %d", width, roles[role], role, want)
			}
		}
		for _, want := range []struct{ role, name string }{
			{"image", "Volumes by health over the last 43 minutes: at the end 114 Healthy, 3 Degraded, 1 Offline; at most 27 Degraded at "},
			{"image", "Length of polls over the last 43 minutes: at the end "},
			{"image", "Records held back over the last 43 minutes: at the end 14; at most 14 at "},
			{"searchbox", "Volumes, claims, namespaces, nodes, reasons"},
			{"table", "Not well"}, {"table", "Nodes with copies of these volumes"}, {"table", "Last changes"},
			{"heading", "StorageOS volume sync"}, {"heading", "The last hour"}, {"region", "Search"},
		} {
			if !slices.ContainsFunc(all, func(s spoken) bool { return s.Role == want.role && strings.HasPrefix(s.Name, want.name) }) {
				t.Errorf("at %d pixels there is no %s %q", width, want.role, want.name)
			}
		}
		for selector, want := range map[string]int{"svg[role=img][aria-label]": 3, "th[scope=col][role=columnheader]": 5 + 4 + 3, "th[scope=row][role=rowheader]": 8 + 3 + 5, "th": 12 + 16} {
			if got := eval[int](p, fmt.Sprintf("document.querySelectorAll(%q).length", selector)); got != want {
				t.Errorf("there are %d of %s, want %d", got, selector, want)
			}
		}
		live := eval[[]string](p, `[...document.querySelectorAll("[aria-live], [role=status]")].map((e) => e.id)`)
		if !slices.Equal(live, []string{"stale", "news", "found"}) {
			t.Errorf("said by themselves are %q", live)
		}
	}
}
