package storageos

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"k8s.io/apimachinery/pkg/util/validation"
)

// DefaultPort is the port of the StorageOS API.
const DefaultPort = "5705"

// What is wrong with an endpoint. No error quotes any of it: what is malformed may hold
// a password anywhere.
var (
	errEndpointEmpty   = errors.New("it is empty: it must be a host, host:port or URL")
	errEndpointText    = errors.New("it has white space, control characters or characters beyond ASCII: a name of other letters is written as its xn-- form")
	errEndpointUnset   = errors.New("it has a reference like $(NAME): that environment variable is not set")
	errEndpointUser    = errors.New("it has an @: an endpoint has no user and password, they come from the secret folder")
	errEndpointScheme  = errors.New("its scheme is unknown: it must be http or https")
	errEndpointMore    = errors.New("it has more than a scheme, host and port")
	errEndpointNoHost  = errors.New("it names no host")
	errEndpointHost    = errors.New("its host is neither an IP address nor a DNS name: that has letters, digits, hyphens and dots, up to 63 characters between two dots and 253 in all")
	errEndpointNumbers = errors.New("its host ends with a number, and is no IPv4 address: no resolver takes that for a name")
	errEndpointIPv6    = errors.New("its host in brackets is no IPv6 address")
	errEndpointColons  = errors.New("it has more than one colon behind its scheme: an IPv6 address stands in brackets")
	errEndpointNoPort  = errors.New("it has a colon but no port")
	errEndpointPort    = errors.New("its port is not a port: it must be a number from 1 to 65535")
)

// ParseEndpoint reads where the API is: a host, host:port or URL; http and port
// 5705 unless said. The URL that it returns has a scheme, host and port only. No
// error quotes what was given.
func ParseEndpoint(s string) (*url.URL, error) {
	switch {
	case strings.TrimSpace(s) == "":
		return nil, errEndpointEmpty
	case strings.Contains(s, "@"):
		return nil, errEndpointUser
	case strings.Contains(s, "$("):
		return nil, errEndpointUnset
	case strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII || r <= ' ' || r == 0x7f }):
		return nil, errEndpointText
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		scheme, rest = "http", s
	}
	if scheme = strings.ToLower(scheme); scheme != "http" && scheme != "https" {
		return nil, errEndpointScheme
	}
	rest = strings.TrimSuffix(rest, "/")
	if strings.ContainsAny(rest, `/\?#`) {
		return nil, errEndpointMore
	}
	host, port, err := splitEndpoint(rest)
	if err != nil {
		return nil, err
	}
	return &url.URL{Scheme: scheme, Host: net.JoinHostPort(host, port)}, nil
}

// splitEndpoint reads a host, or host:port.
func splitEndpoint(s string) (host, port string, err error) {
	if inside, ok := strings.CutPrefix(s, "["); ok {
		host, port, ok = strings.Cut(inside, "]")
		if !ok {
			return "", "", errEndpointIPv6
		}
		if host, err = ipv6(host); err == nil {
			port, err = endpointPort(port)
		}
		return host, port, err
	}
	if strings.Count(s, ":") > 1 {
		return "", "", errEndpointColons
	}
	host, _, _ = strings.Cut(s, ":")
	if port, err = endpointPort(s[len(host):]); err == nil {
		err = checkHost(host)
	}
	return host, port, err
}

// endpointPort reads what stands behind a host.
func endpointPort(s string) (string, error) {
	port, ok := strings.CutPrefix(s, ":")
	switch {
	case s == "":
		return DefaultPort, nil
	case !ok:
		return "", errEndpointMore
	case port == "":
		return "", errEndpointNoPort
	}
	n, err := strconv.ParseUint(port, 10, 16) // it takes no sign
	if err != nil || n == 0 {
		return "", errEndpointPort
	}
	return strconv.FormatUint(n, 10), nil
}

// ipv6 reads an IPv6 address, with its zone as a URL has it.
func ipv6(s string) (string, error) {
	address, zone, zoned := strings.Cut(s, "%25")
	if zoned {
		address += "%" + zone
	}
	ip, err := netip.ParseAddr(address)
	if err != nil || !ip.Is6() || ip.Zone() != zone || zoned && zone == "" || len(zone) > 15 || strings.ContainsFunc(zone, notOfZone) {
		return "", errEndpointIPv6
	}
	return address, nil
}

// notOfZone tells what the name of a network interface does not have.
func notOfZone(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_.", r)
}

// checkHost wants an IPv4 address or a DNS name (RFC 1123), which may end with a dot.
func checkHost(host string) error {
	if host == "" {
		return errEndpointNoHost
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is4() {
		return nil
	}
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	if len(validation.IsDNS1123Subdomain(name)) > 0 {
		return errEndpointHost
	}
	labels := strings.Split(name, ".")
	for _, label := range labels {
		if len(validation.IsDNS1123Label(label)) > 0 {
			return errEndpointHost
		}
	}
	if strings.Trim(labels[len(labels)-1], "0123456789") == "" {
		return errEndpointNumbers
	}
	return nil
}
