package storageos

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"
	"k8s.io/klog/v2"

	"github.com/storageos/volume-sync-controller/hack/simulator"
)

// One failure of the network reads the same at each connection.
func TestWithoutSource(t *testing.T) {
	t.Parallel()
	ours, theirs := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 39934}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 5705}
	err := fmt.Errorf("reading: %w", &net.OpError{Op: "read", Net: "tcp", Source: ours, Addr: theirs, Err: syscall.ECONNRESET})
	if got, want := withoutSource(err).Error(), "read tcp 127.0.0.1:5705: connection reset by peer"; got != want {
		t.Errorf("it reads %q, want %q", got, want)
	}
	if plain := errors.New("plain"); !errors.Is(withoutSource(plain), plain) {
		t.Error("another error was changed")
	}
}

// Only the API's own 404 says that something does not exist, and only its own 403 that it
// refuses to answer. A 401 is worth another login, whoever says it.
func TestErrorKinds(t *testing.T) {
	t.Parallel()
	const own, notFound, forbidden, unauthorized = 1, 2, 4, 8
	const foreign = "(not an error body of its API)"
	for name, tc := range map[string]struct {
		code        int
		contentType string
		body        string
		is          int
		text        string // the whole error, after the call
	}{
		"the API's 404":       {404, "application/json", `{"error":"no such volume"}`, own | notFound, "404 Not Found: no such volume"},
		"with a charset":      {404, "application/json; charset=utf-8", `{"error":"x"}`, own | notFound, "404 Not Found: x"},
		"with more fields":    {404, "application/json", `{"code":5,"error":"x"}`, own | notFound, "404 Not Found: x"},
		"without a text":      {404, "application/json", `{"error":""}`, own | notFound, "404 Not Found"},
		"of a proxy":          {404, "text/html", `<html>`, 0, "404 Not Found " + foreign},
		"JSON in HTML":        {404, "text/html", `{"error":"x"}`, 0, "404 Not Found " + foreign},
		"no content type":     {404, "", `{"error":"x"}`, 0, "404 Not Found " + foreign},
		"an empty body":       {404, "application/json", ``, 0, "404 Not Found " + foreign},
		"null":                {404, "application/json", `null`, 0, "404 Not Found " + foreign},
		"a list":              {404, "application/json", `[{"error":"x"}]`, 0, "404 Not Found " + foreign},
		"cut":                 {404, "application/json", `{"error":"x"`, 0, "404 Not Found " + foreign},
		"two objects":         {404, "application/json", `{"error":"x"}{}`, 0, "404 Not Found " + foreign},
		"another JSON":        {404, "application/json", `{"message":"no route"}`, 0, "404 Not Found " + foreign},
		"another case":        {404, "application/json", `{"Error":"no route"}`, 0, "404 Not Found " + foreign},
		"an error of no text": {404, "application/json", `{"error":{"code":5}}`, 0, "404 Not Found " + foreign},
		"an error of null":    {404, "application/json", `{"error":null}`, 0, "404 Not Found " + foreign},
		"401":                 {401, "application/json", `{"error":"no"}`, own | unauthorized, "401 Unauthorized: no"},
		"403":                 {403, "application/json", `{"error":"no"}`, own | forbidden, "403 Forbidden: no"},
		"403 of a proxy":      {403, "text/html", `<html>`, 0, "403 Forbidden " + foreign},
		"403 JSON in HTML":    {403, "text/html", `{"error":"no"}`, 0, "403 Forbidden " + foreign},
		"403 no content type": {403, "", `{"error":"no"}`, 0, "403 Forbidden " + foreign},
		"403 another JSON":    {403, "application/json", `{"message":"no"}`, 0, "403 Forbidden " + foreign},
		"403 another case":    {403, "application/json", `{"Error":"no"}`, 0, "403 Forbidden " + foreign},
		"403 a number":        {403, "application/json", `{"error":5}`, 0, "403 Forbidden " + foreign},
		"403 empty":           {403, "application/json", ``, 0, "403 Forbidden " + foreign},
		"403 with a charset":  {403, "application/json; charset=utf-8", `{"error":"no"}`, own | forbidden, "403 Forbidden: no"},
		"401 of a proxy":      {401, "text/html", `<html>`, unauthorized, "401 Unauthorized " + foreign},
		"410":                 {410, "application/json", `{"error":"no"}`, own, "410 Gone: no"},
		"control characters":  {500, "application/json", `{"error":"a\n\u001b[31mb\r"}`, own, "500 Internal Server Error: a  [31mb"},
		"a long text":         {500, "application/json", `{"error":"` + strings.Repeat("é", 500) + `"}`, own, "500 Internal Server Error: " + strings.Repeat("é", maxErrorMessage) + "…"},
		"the secret":          {500, "application/json", `{"error":"user a, password p4<5"}`, own, "500 Internal Server Error: user a, password …"},
		"the secret as sent":  {500, "application/json", `{"error":"in {\"password\":\"p4\\u003c5\"}"}`, own, `500 Internal Server Error: in {"password":"…"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			resp := &http.Response{StatusCode: tc.code, Header: http.Header{"Content-Type": {tc.contentType}}, Body: io.NopCloser(strings.NewReader(tc.body))}
			err := newAPIError("GET /x", resp, "p4<5")
			if got, want := err.Error(), "GET /x: StorageOS answered "+tc.text; got != want {
				t.Errorf("%q, want %q", got, want)
			}
			is := 0
			for kind, yes := range map[int]bool{
				own:          err.(*APIError).Own, //nolint:errorlint // not wrapped yet
				notFound:     IsNotFound(fmt.Errorf("asking: %w", err)),
				forbidden:    IsForbidden(fmt.Errorf("asking: %w", err)),
				unauthorized: IsUnauthorized(fmt.Errorf("asking: %w", err)),
			} {
				if yes {
					is |= kind
				}
			}
			if is != tc.is {
				t.Errorf("it is %b, want %b", is, tc.is)
			}
		})
	}
}

// A secret is taken out of a text in each form that a quoted body can have it.
func TestWithout(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		text    string
		secrets []string
		want    string
	}{
		"no secret yet":          {`text`, []string{"", ""}, `text`},
		"as it is":               {`a p<4>5 b p<4>5`, []string{"p<4>5"}, `a … b …`},
		"as Go writes it":        {`{"password":"p\u003c4\u003e\u00265"}`, []string{"p<4>&5"}, `{"password":"…"}`},
		"as others write it":     {`{"password":"p<4>\"5\\"}`, []string{`p<4>"5\`}, `{"password":"…"}`},
		"quotes at both ends":    {`{"password":"\"p45\""}`, []string{`"p45"`}, `{"password":"…"}`},
		"two, of which one fits": {`{"token":"t"}`, []string{"p45", "t"}, `{"…oken":"…"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := without(tc.text, tc.secrets...); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}

// What a login is answered with says nothing of what was asked: a volume is not
// gone, nor is a question refused, because the login met a 404 or a 403.
func TestLoginIsNoAnswer(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]int{"not found": 404, "forbidden": 403, "unauthorized": 401} {
		for when, later := range map[string]bool{"the first": false, "a later one": true} {
			t.Run(name+", "+when, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					sim := simulator.New(simulator.Options{})
					c := newClient(t, sim, nil)
					if later {
						if _, err := c.Cluster(t.Context()); err != nil {
							t.Fatal(err)
						}
						sim.ExpireTokens()
					}
					sim.AddFault(simulator.Fault{Match: simulator.Match{Call: simulator.CallLogin}, Effect: simulator.Status(code, "x"), Count: simulator.Always})
					_, _, volume := c.Volume(t.Context(), "ns", "a")
					_, list := listVolumes(t, c, "ns")
					_, cluster := c.Cluster(t.Context())
					for call, err := range map[string]error{"volume": volume, "list": list, "cluster": cluster} {
						checkError(t, call, err, fmt.Sprintf("login: StorageOS answered %d", code))
						if IsNotFound(err) || IsForbidden(err) || IsUnauthorized(err) != (code == 401) {
							t.Errorf("%s: not found %v, forbidden %v, unauthorized %v", call, IsNotFound(err), IsForbidden(err), IsUnauthorized(err))
						}
					}
				})
			})
		}
	}
}

// Neither an error nor a line of the log has a password or a token in it, not
// even if the API quotes what it was sent, by this call or an earlier one.
func TestSecretsStaySecret(t *testing.T) {
	t.Parallel()
	const password, token = "p455w0rd", "t0k3n"
	login := func(w http.ResponseWriter) {
		w.Header().Set("Authorization", "Bearer "+token)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{}`)
	}
	quote := func(w http.ResponseWriter, r *http.Request, code int) {
		body, _ := io.ReadAll(r.Body)
		text, _ := json.Marshal(strings.Repeat("x", maxErrorMessage-70) + string(body) + r.Header.Get("Authorization") + password)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = fmt.Fprintf(w, `{"error":%s}`, text)
	}
	for name, answer := range map[string]func(w http.ResponseWriter, r *http.Request, auth bool){
		"every login is refused": func(w http.ResponseWriter, r *http.Request, _ bool) { quote(w, r, 400) },
		"every call is refused": func(w http.ResponseWriter, r *http.Request, auth bool) {
			if auth {
				login(w)
			} else {
				quote(w, r, 401)
			}
		},
		"renewals are refused": func(w http.ResponseWriter, r *http.Request, auth bool) {
			if strings.HasSuffix(r.URL.Path, "login") {
				login(w)
			} else {
				quote(w, r, 500)
			}
		},
		"sessions are malformed": func(w http.ResponseWriter, _ *http.Request, auth bool) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"session":{"token":["`+token+`"],"expiresInSeconds":"`+token+`"}}`)
		},
		"tokens have no end of line": func(w http.ResponseWriter, _ *http.Request, auth bool) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"session":{"token":"`+token+`\n"}}`)
		},
		"sessions have no token": func(w http.ResponseWriter, _ *http.Request, _ bool) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"createdAt":"`+password+`"}`)
		},
		"answers are of another type": func(w http.ResponseWriter, _ *http.Request, auth bool) {
			if auth {
				login(w)
			} else {
				w.Header().Set("Content-Type", "text/"+token)
			}
		},
		"everything is redirected": func(w http.ResponseWriter, r *http.Request, auth bool) {
			http.Redirect(w, r, "http://"+password+":"+token+"@elsewhere/", http.StatusTemporaryRedirect)
		},
		"connections are cut": func(http.ResponseWriter, *http.Request, bool) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				var said []string
				say := func(s string) { mu.Lock(); defer mu.Unlock(); said = append(said, s) }
				server := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					answer(w, r, strings.Contains(r.URL.Path, "/auth/"))
				})
				c := newClient(t, server, func(cfg *Config) { cfg.OnLoginError = func(err error) { say(err.Error()) } })
				writeSecret(t, c.cfg.SecretPath, "user", password)
				ctx := klog.NewContext(t.Context(), funcr.New(func(_, args string) { say(args) }, funcr.Options{Verbosity: 10}))
				runWith(ctx, t, c)
				for range 20 {
					time.Sleep(10 * time.Second)
					if _, err := c.Cluster(ctx); err == nil {
						t.Error("a call succeeded")
					} else {
						say(fmt.Sprintf("%v %+v", err, err))
					}
				}
				mu.Lock()
				defer mu.Unlock()
				if !strings.Contains(strings.Join(said, ""), "…") && strings.HasSuffix(name, "refused") {
					t.Errorf("nothing was quoted: the test shows nothing")
				}
				for _, s := range said {
					if strings.Contains(s, password) || strings.Contains(s, token) {
						t.Errorf("a secret was told: %s", s)
					}
				}
			})
		})
	}
}

// What is no HTTP is neither quoted at any length nor with the secrets in it.
func TestNoHTTP(t *testing.T) {
	t.Parallel()
	const password, token = "p455w0rd", "t0k3n"
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	for name, answer := range map[string]string{
		"a token as a status":    "HTTP/1.1 " + token + "\r\n\r\n",
		"a token as a protocol":  "Bearer " + token + "\r\n\r\n",
		"a token as a header":    head + "no header of " + token + "\r\n\r\n",
		"a password as a length": head + "Content-Length: " + password + "\r\n\r\n",
		"a token as an encoding": head + "Transfer-Encoding: " + token + "\r\n\r\n",
		"a token as a trailer":   head + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nno trailer of " + token + "\r\n\r\n",
		"a long status":          "HTTP/1.1 " + strings.Repeat("x", 30_000) + "\r\n\r\n",
		"a long header":          head + strings.Repeat("x", 30_000) + "\r\n\r\n",
		"a long trailer":         head + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n" + strings.Repeat("x", 3_000) + "\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Method == http.MethodPost {
						w.Header().Set("Authorization", "Bearer "+token)
						w.Header().Set("Content-Type", "application/json")
						_, _ = io.WriteString(w, `{}`)
						return
					}
					conn, _, err := http.NewResponseController(w).Hijack()
					if err != nil {
						panic(err)
					}
					_, _ = io.WriteString(conn, answer)
					_ = conn.Close()
				}), nil)
				writeSecret(t, c.cfg.SecretPath, "user", password)
				_, err := c.Cluster(t.Context())
				if err == nil {
					t.Fatal("it succeeded")
				}
				text := err.Error()
				if len(text) > 2*maxErrorMessage || strings.Contains(text, password) || strings.Contains(text, token) {
					t.Errorf("%d bytes: %.300q", len(text), text)
				}
			})
		})
	}
}
