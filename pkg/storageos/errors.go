package storageos

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
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
// This is the only proof that a volume is gone: the 404 of a proxy is none.
func IsNotFound(err error) bool {
	var e *APIError
	return errors.As(err, &e) && e.Code == http.StatusNotFound && e.Own
}

// IsForbidden tells whether the API refused to answer this user (403).
func IsForbidden(err error) bool {
	var e *APIError
	return errors.As(err, &e) && e.Code == http.StatusForbidden
}

// IsUnauthorized tells whether the API did not take the token or the password
// (401).
func IsUnauthorized(err error) bool {
	var e *APIError
	return errors.As(err, &e) && e.Code == http.StatusUnauthorized
}

// silentError is the error of a request that stayed silent for too long.
type silentError struct{ after time.Duration }

func (e *silentError) Error() string {
	return fmt.Sprintf("no byte from StorageOS for %v", e.after)
}
func (e *silentError) Timeout() bool { return true }

// newAPIError reads the error out of a response. It closes the body.
func newAPIError(call string, resp *http.Response) error {
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody)) // what can be read of it will do
	return apiError(call, resp, body)
}

func apiError(call string, resp *http.Response, body []byte) error {
	e := &APIError{Call: call, Code: resp.StatusCode}
	var model struct {
		Error *string `json:"error"`
	}
	if isJSON(resp) && json.Unmarshal(body, &model) == nil && model.Error != nil {
		e.Own, e.Message = true, printable(*model.Error)
	}
	return e
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
