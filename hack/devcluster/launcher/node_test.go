package launcher

import (
	"encoding/json"
	"net/netip"
	"os"
	"strings"
	"testing"
)

// No two clusters share an address, and no address is outside of the range for tests.
func TestNetworks(t *testing.T) {
	t.Parallel()
	tests := netip.MustParsePrefix("198.18.0.0/15")
	var before []netip.Prefix
	for number := range maxNetworks {
		n := newNetwork(number)
		all := netip.MustParsePrefix(n.all)
		host, node := netip.MustParseAddr(n.host), netip.MustParseAddr(n.node)
		services, pods := netip.MustParsePrefix(n.services), netip.MustParsePrefix(n.pods)
		for what, ok := range map[string]bool{
			"is in the range for tests":        tests.Contains(all.Addr()) && all.Masked() == all,
			"has its own ends":                 all.Contains(host) && all.Contains(node) && host != node && netip.PrefixFrom(host, 30).Contains(node),
			"has its own Services and Pods":    all.Contains(services.Addr()) && all.Contains(pods.Addr()) && services.Masked() == services && pods.Masked() == pods,
			"keeps Services, Pods, ends apart": !services.Overlaps(pods) && !services.Contains(node) && !pods.Contains(node),
			"has a name that a link can have":  len(n.link) <= 15,
		} {
			if !ok {
				t.Errorf("it is not true that network %d %s: %+v", number, what, n)
			}
		}
		for _, other := range before {
			if all.Overlaps(other) {
				t.Errorf("network %d overlaps %v", number, other)
			}
		}
		before = append(before, all)
	}
}

func TestNodeFiles(t *testing.T) {
	t.Parallel()
	c, err := newCluster(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer c.lock.Close()
	c.settings.network = newNetwork(3)
	if err := c.nodeFiles(); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"containerd.toml":         `address = "` + c.dir + `/containerd.sock"`,
		"kubelet.yaml":            "cgroupRoot: /devcluster3\n",
		"cni/devcluster.conflist": `"subnet": "198.18.50.0/23"`,
		"resolv.conf":             "#",
	} {
		text, err := os.ReadFile(c.path("node/" + file))
		if err != nil || !strings.Contains(string(text), want) || strings.Contains(string(text), "<no value>") {
			t.Errorf("%s: %v: %s", file, err, text)
		}
		if strings.HasSuffix(file, ".conflist") && !json.Valid(text) {
			t.Errorf("%s is not JSON: %s", file, text)
		}
	}
}

func TestNodeRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		commands Commands
		want     string
	}{
		"the programs of others": {working(), "do not make a node"},
		"no image":               {Commands{Node: &NodeCommands{Pause: "/does/not/exist.tar"}}, "-node: "},
	} {
		if err := missing(tc.commands); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, args := range [][]string{nil, {"-x"}, {"a", "b"}} {
		if err := load(args); err == nil || !strings.Contains(err.Error(), "load IMAGE.tar") {
			t.Errorf("load %q: %v", args, err)
		}
	}
}

func TestWithin(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"/run": true, "/run/a": true, "/running": false, "/": false, "/a/run": false, "/run/../a": false, "/run/..a": true,
	} {
		if got := within("/run", path); got != want {
			t.Errorf("within(/run, %s) is %t", path, got)
		}
	}
}
