package app

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// answers tells whether the status page answers to a host, as a browser names it. A
// page from elsewhere that a browser shows can let its own name lead here (DNS
// rebinding) and would then be given what ours says; the name still is its own. A
// literal address is no name that somebody could let lead elsewhere.
func (p *statusPage) answers(host string) bool {
	name := withoutPort(host)
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	return sameHost(name, "localhost") || sameHost(name, p.host)
}

// sameHost compares names as DNS does. No name is the same as none.
func sameHost(a, b string) bool {
	a, b = strings.TrimSuffix(a, "."), strings.TrimSuffix(b, ".")
	return a != "" && strings.EqualFold(a, b)
}

// withoutPort is the host of host:port or host, without the brackets of an IPv6
// address; "" if it is neither.
func withoutPort(s string) string {
	if host, port, err := net.SplitHostPort(s); err == nil {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return ""
		}
		return host
	}
	if inner, ok := strings.CutPrefix(s, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		if !ok {
			return ""
		}
		return inner
	}
	return s
}

// hostOf is the host of an address to listen on, "" if it names none.
func hostOf(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return ""
	}
	return host
}
