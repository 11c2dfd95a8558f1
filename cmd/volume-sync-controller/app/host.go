package app

import (
	"net/netip"
	"net/url"
	"strings"
)

// answers tells whether the status page answers to a host, as a browser names it. A
// page from elsewhere that a browser shows can let its own name lead here (DNS
// rebinding) and would then be given what ours says; the name still is its own. A
// literal address is no name that somebody could let lead elsewhere.
func (p *statusPage) answers(host string) bool {
	name := hostOf(host)
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

// hostOf is the host of host:port or host, without the brackets of an IPv6 address.
func hostOf(s string) string { return (&url.URL{Host: s}).Hostname() }
