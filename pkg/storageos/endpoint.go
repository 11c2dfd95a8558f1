package storageos

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// DefaultPort is the port of the StorageOS API.
const DefaultPort = "5705"

// ParseEndpoint reads where the API is: a host, host:port or URL; http and port
// 5705 unless said. The URL that it returns has a scheme, host and port only.
func ParseEndpoint(s string) (*url.URL, error) {
	if strings.TrimSpace(s) == "" {
		return nil, errors.New("the endpoint is empty: it must be a host, host:port or URL")
	}
	full := s
	if !strings.Contains(s, "://") {
		full = "http://" + s
	}
	u, err := url.Parse(full)
	if err != nil {
		return nil, fmt.Errorf("%q is not a host, host:port or URL", redact(s))
	}
	switch {
	case u.User != nil:
		return nil, errors.New("an endpoint has no user and password: they come from the secret folder")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("scheme %q of %q is unknown: it must be http or https", u.Scheme, s)
	case u.Hostname() == "" || strings.ContainsAny(u.Hostname(), " \t\r\n"):
		return nil, fmt.Errorf("%q names no host", s)
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "":
		return nil, fmt.Errorf("%q has more than a scheme, host and port", s)
	}
	port := u.Port()
	if port == "" {
		if strings.HasSuffix(u.Host, ":") {
			return nil, fmt.Errorf("%q has a colon but no port", s)
		}
		port = DefaultPort
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return nil, fmt.Errorf("port %q of %q is not a port: it must be from 1 to 65535", port, s)
	}
	return &url.URL{Scheme: u.Scheme, Host: net.JoinHostPort(u.Hostname(), port)}, nil
}

// redact keeps what could be a password out of an error.
func redact(s string) string {
	if at := strings.LastIndex(s, "@"); at >= 0 {
		return "…" + s[at:]
	}
	return s
}
