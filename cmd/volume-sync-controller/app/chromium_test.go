package app

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// browser is a headless Chromium that is spoken to through a pipe, in its DevTools protocol.
type browser struct {
	to *os.File

	mu      sync.Mutex
	last    int
	waiting map[int]chan answer
	tabs    map[string]*tab // by session
}

// answer is what the browser says: to a call, or of its own accord.
type answer struct {
	ID        int             `json:"id"`
	Result    json.RawMessage `json:"result"`
	Error     *struct{ Message string }
	Method    string          `json:"method"`
	SessionID string          `json:"sessionId"`
	Params    json.RawMessage `json:"params"`
}

// startBrowser starts Chromium, which ends with the test.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("it needs Chromium: run it by `make test-page`")
	}
	itsIn, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	from, itsOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--hide-scrollbars", "--remote-debugging-pipe", "--user-data-dir="+t.TempDir())
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	cmd.ExtraFiles = []*os.File{itsIn, itsOut} // as its 3 and 4
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	itsIn.Close()
	itsOut.Close()
	b := &browser{to: to, waiting: map[int]chan answer{}, tabs: map[string]*tab{}}
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		b.listen(from)
	}()
	t.Cleanup(func() {
		// It is asked to close, so that nothing of it writes into its folder any more.
		closed, done := context.WithTimeout(context.Background(), 10*time.Second)
		defer done()
		_, _ = b.call(closed, "", "Browser.close", nil)
		stop := time.AfterFunc(10*time.Second, cancel)
		_ = cmd.Wait()
		stop.Stop()
		cancel()
		<-heard
		to.Close()
		from.Close()
		if t.Failed() {
			for line := range strings.Lines(errs.String()) {
				if !strings.Contains(line, "dbus") && !strings.Contains(line, "chrome://newtab") { // of which there are dozens
					t.Logf("chromium said: %s", line)
				}
			}
		}
	})
	return b
}

func (b *browser) listen(from *os.File) {
	r := bufio.NewReader(from)
	for {
		raw, err := r.ReadBytes(0)
		if err != nil {
			b.end()
			return
		}
		var a answer
		if err := json.Unmarshal(raw[:len(raw)-1], &a); err != nil {
			continue
		}
		b.mu.Lock()
		if waits := b.waiting[a.ID]; waits != nil {
			delete(b.waiting, a.ID)
			waits <- a
		}
		tab := b.tabs[a.SessionID]
		b.mu.Unlock()
		if tab != nil && (a.Method == "Runtime.exceptionThrown" || a.Method == "Log.entryAdded") {
			tab.complain(string(a.Params))
		}
	}
}

// end answers whoever waits: there will be no other answer.
func (b *browser) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, waits := range b.waiting {
		waits <- answer{ID: id, Error: &struct{ Message string }{"the browser has ended"}}
	}
	b.waiting = nil
}

// call has the browser do something, in a session or of its own.
func (b *browser) call(ctx context.Context, session, method string, params any) (json.RawMessage, error) {
	if params == nil {
		params = struct{}{}
	}
	waits := make(chan answer, 1)
	b.mu.Lock()
	if b.waiting == nil {
		b.mu.Unlock()
		return nil, fmt.Errorf("%s: the browser has ended", method)
	}
	b.last++
	id := b.last
	b.waiting[id] = waits
	raw, err := json.Marshal(struct {
		ID        int    `json:"id"`
		SessionID string `json:"sessionId,omitempty"`
		Method    string `json:"method"`
		Params    any    `json:"params"`
	}{id, session, method, params})
	if err == nil {
		_, err = b.to.Write(append(raw, 0))
	}
	b.mu.Unlock()
	if err != nil {
		return nil, err
	}
	select {
	case a := <-waits:
		if a.Error != nil {
			return nil, fmt.Errorf("%s: %s", method, a.Error.Message)
		}
		return a.Result, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: %w", method, ctx.Err())
	}
}

// tab is a page in the browser.
type tab struct {
	*testing.T
	browser *browser
	session string
	ctx     context.Context

	mu         sync.Mutex
	complaints []string // of what it does not do or refuses to do
}

// open shows a page of this size.
func (b *browser) open(t *testing.T, url string, width, height int, scheme string) *tab {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	p := &tab{T: t, browser: b, ctx: ctx}
	var target struct{ TargetID, SessionID string }
	p.into("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	id := target.TargetID
	p.into("Target.attachToTarget", map[string]any{"targetId": id, "flatten": true}, &target)
	p.session = target.SessionID
	b.mu.Lock()
	b.tabs[p.session] = p
	b.mu.Unlock()
	t.Cleanup(func() {
		defer cancel()
		p.mu.Lock()
		for _, c := range p.complaints {
			t.Errorf("the browser complains: %s", c)
		}
		p.mu.Unlock()
		_, _ = b.call(ctx, "", "Target.closeTarget", map[string]any{"targetId": id})
	})
	for _, domain := range []string{"Runtime", "Log", "Page", "Accessibility"} {
		p.do(domain+".enable", nil)
	}
	p.do("Emulation.setFocusEmulationEnabled", map[string]any{"enabled": true})
	p.size(width, height)
	p.do("Emulation.setEmulatedMedia", map[string]any{"features": []any{map[string]any{"name": "prefers-color-scheme", "value": scheme}}})
	p.do("Page.navigate", map[string]any{"url": url})
	p.until(`document.readyState === "complete" && location.href.startsWith("http")`)
	return p
}

// size makes the window so large.
func (p *tab) size(width, height int) {
	p.Helper()
	p.do("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false})
}

func (p *tab) complain(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.complaints = append(p.complaints, text)
}

// do has the browser do something, of which nothing is wanted.
func (p *tab) do(method string, params any) { p.Helper(); p.into(method, params, nil) }

func (p *tab) into(method string, params, result any) {
	p.Helper()
	raw, err := p.browser.call(p.ctx, p.session, method, params)
	if err != nil {
		p.Fatal(err)
	}
	if result != nil {
		if err := json.Unmarshal(raw, result); err != nil {
			p.Fatalf("%s: %v: %s", method, err, raw)
		}
	}
}

// eval is the value of an expression in the page, which may be a promise.
func eval[T any](p *tab, expression string) T {
	p.Helper()
	var r struct {
		Result           struct{ Value T }
		ExceptionDetails *struct {
			Exception struct{ Description string }
		}
	}
	p.into("Runtime.evaluate", map[string]any{"expression": expression, "awaitPromise": true, "returnByValue": true}, &r)
	if r.ExceptionDetails != nil {
		p.Fatalf("%s: %s", expression, r.ExceptionDetails.Exception.Description)
	}
	return r.Result.Value
}

// until waits until something is so in the page.
func (p *tab) until(condition string) {
	p.Helper()
	deadline := time.Now().Add(time.Minute)
	for !eval[bool](p, "Boolean("+condition+")") {
		if time.Now().After(deadline) {
			p.Fatalf("it never is so that %s:\n%s", condition, eval[string](p, "document.body.innerText"))
		}
		eval[bool](p, "new Promise((done) => setTimeout(done, 50, true))")
	}
}

// types types text, key by key.
func (p *tab) types(text string) {
	p.Helper()
	for _, c := range text {
		p.do("Input.dispatchKeyEvent", map[string]any{"type": "keyDown", "key": string(c), "text": string(c)})
		p.do("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": string(c)})
	}
}

// press presses a key that writes nothing.
func (p *tab) press(key string, code int) {
	p.Helper()
	for _, kind := range []string{"rawKeyDown", "keyUp"} {
		p.do("Input.dispatchKeyEvent", map[string]any{"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code})
	}
}

// spoken is a part of the page as a screen reader is told of it: role and name.
type spoken struct{ Role, Name string }

func (p *tab) spoken() (all []spoken) {
	p.Helper()
	var tree struct {
		Nodes []struct {
			Ignored    bool
			Role, Name struct{ Value string }
		}
	}
	p.into("Accessibility.getFullAXTree", nil, &tree)
	for _, n := range tree.Nodes {
		if !n.Ignored {
			all = append(all, spoken{n.Role.Value, n.Name.Value})
		}
	}
	return all
}

// shoot takes a picture of so much of the page.
func (p *tab) shoot(path string, top, width, height int) {
	p.Helper()
	var shot struct{ Data string }
	clip := map[string]any{"x": 0, "y": top, "width": width, "height": height, "scale": 1}
	p.into("Page.captureScreenshot", map[string]any{"captureBeyondViewport": true, "clip": clip}, &shot)
	png, err := base64.StdEncoding.DecodeString(shot.Data)
	if err != nil {
		p.Fatal(err)
	}
	if err := os.WriteFile(path, png, 0o600); err != nil {
		p.Fatal(err)
	}
}
