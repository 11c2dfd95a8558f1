package storageos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
)

const (
	maxErrorBody    = 64 << 10
	maxErrorMessage = 200 // characters of the API's message that an error quotes
)

// APIError is an answer of the API, or of something before it, that is not a
// success.
type APIError struct {
	Call    string // what was asked
	Code    int    // HTTP status
	Message string // the text of the API's error body, cut and made printable
	// Own tells that the API itself answered, with the JSON body of its
	// specification. A proxy or a load balancer does not.
	Own bool
}

func (e *APIError) Error() string {
	text := fmt.Sprintf("%s: StorageOS answered %d %s", e.Call, e.Code, http.StatusText(e.Code))
	if e.Message != "" {
		text += ": " + e.Message
	}
	if !e.Own {
		text += " (not an error body of its API)"
	}
	return text
}

// IsNotFound tells whether the API itself said that something does not exist.
// This is the only proof that a volume is gone: the 404 of a proxy is none, nor
// is one that the login was answered with.
func IsNotFound(err error) bool {
	e := answer(err)
	return e != nil && e.Code == http.StatusNotFound && e.Own
}

// IsForbidden tells whether the API itself refused to answer this user (403). The
// 403 of a proxy says nothing of the API, and that the login was refused says
// nothing of what was asked.
func IsForbidden(err error) bool {
	e := answer(err)
	return e != nil && e.Code == http.StatusForbidden && e.Own
}

// answer is what the call itself was answered with, nil if it was not.
func answer(err error) *APIError {
	var login *loginError
	var e *APIError
	if errors.As(err, &login) || !errors.As(err, &e) {
		return nil
	}
	return e
}

// IsUnauthorized tells whether the token or the password was not taken (401). It
// need not be the API itself that says so: what follows is another login, which
// proves nothing and lets nothing be deleted.
func IsUnauthorized(err error) bool {
	var e *APIError
	return errors.As(err, &e) && e.Code == http.StatusUnauthorized
}

// loginError is the error of a call that got no token: what it wraps answers
// the login, not the call.
type loginError struct {
	text string
	err  error
}

func (e *loginError) Error() string { return e.text + ": " + e.err.Error() }
func (e *loginError) Unwrap() error { return e.err }

// callError says in which call something went wrong.
type callError struct {
	call string
	err  error
}

func (e *callError) Error() string { return e.call + ": " + e.err.Error() }
func (e *callError) Unwrap() error { return e.err }

// unwrapURL takes away what net/http puts before an error: the call says it.
func unwrapURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// withoutSource takes our own address out of an error of the network: its port is
// another at each connection, and one failure would never look like the last.
func withoutSource(err error) error {
	var op *net.OpError
	if !errors.As(err, &op) || op.Source == nil {
		return err
	}
	same := *op
	same.Source = nil
	return &same
}

// silentError is the error of a request that stayed silent for too long.
type silentError struct{ after time.Duration }

func (e *silentError) Error() string {
	return fmt.Sprintf("no byte from StorageOS for %v", e.after)
}
func (e *silentError) Timeout() bool { return true }

// lateError is the error of a call that has taken too long, though something of its
// answer went on arriving.
type lateError struct{ after time.Duration }

func (e *lateError) Error() string {
	return fmt.Sprintf("cut: it has taken more than %v, %d times the timeout", e.after, CallTimeouts)
}
func (e *lateError) Timeout() bool { return true }

// isLate tells whether it was the length of a call which ended ctx, not its caller.
func isLate(ctx context.Context) bool {
	late, ok := errors.AsType[*lateError](context.Cause(ctx))
	return ok && late != nil
}

// newAPIError reads the error out of a response. It closes the body.
func newAPIError(call string, resp *http.Response, secrets ...string) error {
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody)) // what can be read of it will do
	return apiError(call, resp, body, secrets...)
}

// apiError makes an error of an answer. It does not quote secrets, should the
// answer do so.
func apiError(call string, resp *http.Response, body []byte, secrets ...string) error {
	e := &APIError{Call: call, Code: resp.StatusCode}
	var model map[string]json.RawMessage // a struct would take "Error" as well
	var text *string
	if isJSON(resp) && json.Unmarshal(body, &model) == nil && json.Unmarshal(model["error"], &text) == nil && text != nil {
		e.Own = true
		e.Message = printable(without(*text, secrets...))
	}
	return e
}

// told is an error in which others have words, as it may be told: net/http quotes what it
// cannot read, at any length, and a proxy refuses in its own words.
func (c *Client) told(err error, secrets ...string) error {
	text := printable(without(err.Error(), append(c.auth.secrets(), secrets...)...))
	if text == err.Error() {
		return err
	}
	return &toldError{text, err}
}

// toldError is an error that tells less than what it wraps.
type toldError struct {
	text string
	err  error
}

func (e *toldError) Error() string { return e.text }
func (e *toldError) Unwrap() error { return e.err }

// without is a text without secrets: as they are, and as JSON writes them, since a body
// that was sent may be quoted.
func without(text string, secrets ...string) string {
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		for _, form := range []string{inJSON(secret, true), inJSON(secret, false), secret} {
			text = strings.ReplaceAll(text, form, "…")
		}
	}
	return text
}

// inJSON is a text as a JSON string has it. Go also escapes what means something in HTML,
// others do not.
func inJSON(text string, html bool) string {
	var quoted strings.Builder
	encoder := json.NewEncoder(&quoted)
	encoder.SetEscapeHTML(html)
	_ = encoder.Encode(text) // a string can always be written
	return strings.TrimSuffix(strings.TrimPrefix(quoted.String(), `"`), "\"\n")
}

func isJSON(resp *http.Response) bool {
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json"))
}

// printable makes a text of the API fit for a log line.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
	if runes := []rune(s); len(runes) > maxErrorMessage {
		s = string(runes[:maxErrorMessage]) + "…"
	}
	return strings.TrimSpace(s)
}
