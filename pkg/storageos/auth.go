package storageos

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"

	api "github.com/storageos/go-api/v2"
	"k8s.io/klog/v2"
)

// defaultExpiry is how long a token is taken to be valid if the API does not
// say: the product's default.
const defaultExpiry = 5 * time.Minute

// expiryMargin is the part of a token's life after which it is renewed.
const expiryMargin = 3.0 / 4

// session is a token and what is known of it.
type session struct {
	token   string
	number  int  // of the login or renewal that brought it; 0: none yet
	instead bool // it was logged in for because another was not taken
	begun   time.Time
	expires time.Time
	secret  stamp // of the files that it was logged in with
}

// auth keeps a session. Requests read it; whoever has to change it waits for
// the one place, so that there is one login at a time.
type auth struct {
	mu       sync.Mutex
	session  session
	password string    // of the last login that was tried
	failed   error     // of the last login, nil after a success
	tried    time.Time // when that was
	with     stamp     // the secret files of that login
	once     chan struct{}
	said     string // the failure that was logged last; of whoever has the place

	renewal time.Time // when the session is to be renewed; Run's own
	known   int       // the number of that session; Run's own

	last atomic.Int64 // number of the last session whose token was taken

	place chan struct{} // holds one value while a login or renewal is under way
}

func newAuth() *auth {
	return &auth{once: make(chan struct{}), place: make(chan struct{}, 1)}
}

func (a *auth) current() session {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.session
}

// take notes that the API has taken a session's token.
func (a *auth) take(s session) {
	if a.last.Load() < int64(s.number) {
		a.last.Store(int64(s.number))
	}
}

func (a *auth) taken(s session) bool { return a.last.Load() >= int64(s.number) }

// secrets are what no error may quote.
func (a *auth) secrets() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return []string{a.password, a.session.token}
}

// token returns a session that is newer than the one that did not do; 0 takes
// any. However many ask, one login is made for them.
func (c *Client) token(ctx context.Context, notThis int) (session, error) {
	if s := c.auth.current(); s.number > notThis {
		return s, nil
	}
	select {
	case c.auth.place <- struct{}{}:
		defer func() { <-c.auth.place }()
	case <-ctx.Done():
		return session{}, context.Cause(ctx)
	}
	s := c.auth.current()
	if s.number > notThis {
		return s, nil // somebody logged in meanwhile
	}
	if s.instead && !c.auth.taken(s) && time.Since(s.begun) < c.cfg.RetryInterval && secretStamp(c.cfg.SecretPath) == s.secret {
		return session{}, errNotTaken // a third would not be taken either
	}
	return c.login(ctx, s.number > 0)
}

// errNotTaken is the error of a token that StorageOS has given instead of one that
// it did not take, and does not take either.
var errNotTaken = errors.New("StorageOS has just given this token and does not take it")

// login logs in with what the secret's files say now. After a failure it does
// not ask again before RetryInterval is over, unless the files have changed:
// passwords that do not fit lock accounts. The caller has the place.
func (c *Client) login(ctx context.Context, instead bool) (session, error) {
	a := c.auth
	now := secretStamp(c.cfg.SecretPath)
	a.mu.Lock()
	if a.failed != nil && a.with == now && time.Since(a.tried) < c.cfg.RetryInterval {
		defer a.mu.Unlock()
		return session{}, a.failed
	}
	a.mu.Unlock()

	creds, err := readCredentials(c.cfg.SecretPath)
	var s session
	if err == nil {
		a.mu.Lock()
		a.password = creds.password
		a.mu.Unlock()
		var cancel context.CancelFunc
		ctx, cancel = c.limit(ctx)
		defer cancel()
		s, err = c.ask("login", func() (api.UserSession, *http.Response, error) {
			return c.api.AuthenticateUser(ctx, api.AuthUserData{Username: creds.username, Password: creds.password})
		})
	}
	s.secret, s.instead = now, instead
	c.loggedIn(ctx, s, now, err)
	if err != nil {
		return session{}, err
	}
	return a.current(), nil
}

// renew renews the token that is held.
func (c *Client) renew(ctx context.Context) error {
	held := c.auth.current()
	ctx, cancel := c.limit(ctx)
	defer cancel()
	s, err := c.ask("refresh", func() (api.UserSession, *http.Response, error) {
		return c.api.RefreshJwt(context.WithValue(ctx, api.ContextAccessToken, held.token))
	})
	if err != nil {
		return err
	}
	s.secret = held.secret
	c.auth.keep(s)
	return nil
}

func (a *auth) keep(s session) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s.number = a.session.number + 1
	a.session = s
}

// loggedIn takes note of how a login went. The caller has the place.
func (c *Client) loggedIn(ctx context.Context, s session, with stamp, err error) {
	a := c.auth
	logger := klog.FromContext(ctx)
	switch {
	case err == nil:
		a.keep(s)
		a.note(nil, with)
		if a.said != "" || !isClosed(a.once) {
			logger.Info("Logged in to StorageOS", "endpoint", c.cfg.Endpoint.String())
		}
		a.said = ""
		if !isClosed(a.once) {
			close(a.once)
		}
	case ctx.Err() != nil && !isLate(ctx):
		a.note(nil, with) // it was us who gave up
	default:
		a.note(err, with)
		if c.cfg.OnLoginError != nil {
			c.cfg.OnLoginError(err)
		}
		if a.said != err.Error() {
			logger.Error(err, "Login to StorageOS failed, will be tried again", "endpoint", c.cfg.Endpoint.String(), "every", c.cfg.RetryInterval)
			a.said = err.Error()
		}
	}
}

func (a *auth) note(failed error, with stamp) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.failed, a.tried, a.with = failed, time.Now(), with
}

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// ask makes a call that sends a secret and is answered with a session.
func (c *Client) ask(call string, do func() (api.UserSession, *http.Response, error)) (session, error) {
	call = c.named(call)
	begun := time.Now()
	body, resp, err := do()
	if resp == nil {
		if err == nil {
			err = errors.New("no answer")
		}
		return session{}, &callError{call, c.told(unwrapURL(err))}
	}
	if resp.StatusCode != http.StatusOK {
		var text []byte
		var model api.GenericOpenAPIError
		if errors.As(err, &model) {
			text = model.Body()
		}
		return session{}, apiError(call, resp, text, c.auth.secrets()...)
	}
	s := session{token: bearer(resp.Header.Get("Authorization"))}
	if s.token == "" {
		s.token = body.Session.Token
	}
	switch {
	case s.token == "" && err != nil:
		return session{}, &callError{call, fmt.Errorf("the answer has no token in its header, and its body cannot be read: %w", c.told(err))}
	case s.token == "":
		return session{}, &callError{call, errors.New("the answer has no token, neither in its header Authorization nor in its body")}
	case strings.ContainsFunc(s.token, unicode.IsControl):
		// No request could be sent with it, so none would ever be refused.
		return session{}, &callError{call, errors.New("the token in the answer has control characters")}
	}
	s.begun = begun
	s.expires = begun.Add(expiry(resp.Header, body.Session.ExpiresInSeconds))
	return s, nil
}

// bearer takes the token out of an Authorization header: "Bearer <token>", with
// or without the scheme.
func bearer(header string) string {
	scheme, token, ok := strings.Cut(strings.TrimSpace(header), " ")
	if !ok {
		if strings.EqualFold(scheme, "bearer") {
			return ""
		}
		return scheme
	}
	return strings.TrimSpace(token)
}

// expiry is how long a token is valid: as a header says, under one of the two
// names that the specification has for it, or as the body says.
func expiry(header http.Header, body uint64) time.Duration {
	const most = 365 * 24 * 3600
	for _, name := range []string{"Authorization-Expires-Seconds", "Authorization-Expires-In"} {
		if n, err := strconv.ParseUint(strings.TrimSpace(header.Get(name)), 10, 64); err == nil && n > 0 {
			return time.Duration(min(n, most)) * time.Second
		}
	}
	if body > 0 {
		return time.Duration(min(body, most)) * time.Second
	}
	return defaultExpiry
}

// Run keeps the login valid until ctx ends: it logs in, renews the token every
// RefreshInterval or before it expires, and logs in anew when the secret's
// files change or a renewal fails.
func (c *Client) Run(ctx context.Context) {
	for ctx.Err() == nil {
		pause := c.maintain(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	c.wire.close()
}

const (
	secretPoll = time.Second            // how often the secret's files are looked at
	leastPause = 100 * time.Millisecond // between two looks, however short a token lives
)

// maintain does what is due now and returns when to look again.
func (c *Client) maintain(ctx context.Context) time.Duration {
	a := c.auth
	select {
	case a.place <- struct{}{}:
		defer func() { <-a.place }()
	case <-ctx.Done():
		return 0
	}
	held := a.current()
	if held.number == 0 || secretStamp(c.cfg.SecretPath) != held.secret {
		_, _ = c.login(ctx, false) // logged and counted there; a token that is held stays
	}
	if held = a.current(); held.number > 0 && held.number == a.known && !time.Now().Before(a.renewal) {
		c.replace(ctx, held)
		held, a.renewal = a.current(), time.Now().Add(c.cfg.RetryInterval) // if that failed
	}
	pause := min(secretPoll, c.cfg.RetryInterval)
	if held.number == 0 {
		return pause
	}
	if held.number != a.known {
		life := time.Duration(float64(time.Until(held.expires)) * expiryMargin)
		a.known, a.renewal = held.number, time.Now().Add(min(c.cfg.RefreshInterval, life))
	}
	return min(pause, max(leastPause, time.Until(a.renewal)))
}

// replace gets a new token for the one that is held: by a renewal or, if that
// fails or comes too late, by a login.
func (c *Client) replace(ctx context.Context, held session) {
	if time.Now().Before(held.expires) {
		err := c.renew(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		klog.FromContext(ctx).V(2).Info("The token could not be renewed, logging in again", "err", err)
	}
	_, _ = c.login(ctx, false)
}
