package storageos

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
)

// proxyOf finds the proxy that requests to the endpoint go through, nil if there is none.
// What is returned has the proxy's user and password in it; no error quotes any of it.
func proxyOf(endpoint *url.URL, find func(*http.Request) (*url.URL, error)) (*url.URL, error) {
	variable, proxied := "HTTP_PROXY", "http"
	if endpoint.Scheme == "https" {
		variable, proxied = "HTTPS_PROXY", "https"
	}
	proxy, err := find(&http.Request{Method: http.MethodGet, URL: endpoint})
	switch {
	case err != nil:
		return nil, fmt.Errorf("the proxy for %s cannot be found out: %s is no URL, or REQUEST_METHOD is set: correct that, or name the host of StorageOS in NO_PROXY", proxied, variable)
	case proxy == nil:
		return nil, nil
	case !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, proxy.Scheme) || proxy.Hostname() == "" ||
		proxy.Path != "" && proxy.Path != "/" || proxy.RawQuery != "" || proxy.Fragment != "" || proxy.Opaque != "":
		return nil, fmt.Errorf("the proxy of %s has no known scheme, no host, or more than a scheme, user, host and port: correct that, or name the host of StorageOS in NO_PROXY", variable)
	case endpoint.Scheme != "https":
		return nil, fmt.Errorf("%w %s (%s): it would read the password and each token: name the host of StorageOS in NO_PROXY, or use https", errPlainProxy, proxyName(proxy), variable)
	}
	return proxy, nil
}

// errPlainProxy is why nothing is sent: whoever runs the proxy would know what it takes
// to log in.
var errPlainProxy = errors.New("http to StorageOS would go through the proxy")

// proxyName is what may be said of a proxy: not its user and password.
func proxyName(proxy *url.URL) string {
	return (&url.URL{Scheme: proxy.Scheme, Host: proxy.Host}).String()
}

// named names a call in its errors, with the proxy that it goes through.
func (c *Client) named(call string) string {
	if c.proxy == "" {
		return call
	}
	return call + " through the proxy " + c.proxy
}
