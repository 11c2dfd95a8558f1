package launcher

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// network is where the addresses of a cluster with a node are: in 198.18.0.0/15,
// which is kept for tests. It is connected with the machine's by a veth pair, and
// with nothing else.
type network struct {
	number   int
	link     string // the machine's end of the pair
	host     string // its address
	node     string // that of the other end, and of the node
	services string // range of addresses
	pods     string // range of addresses
	all      string // range of all of them
}

// Direct keeps what is meant for these addresses from the proxy of the environment,
// if there is one. To be called first.
func Direct() {
	for _, name := range []string{"NO_PROXY", "no_proxy"} {
		_ = os.Setenv(name, strings.TrimPrefix(os.Getenv(name)+",198.18.0.0/15", ","))
	}
}

// maxNetworks is how many clusters with a node a machine can have at a time.
const maxNetworks = 16

func newNetwork(number int) *network {
	address := func(third int, rest string) string { return fmt.Sprintf("198.18.%d.%s", 16*number+third, rest) }
	return &network{
		number: number, link: fmt.Sprintf("devcluster%d", number),
		host: address(0, "1"), node: address(0, "2"),
		services: address(1, "0/24"), pods: address(2, "0/23"), all: address(0, "0/20"),
	}
}

// nodeLink is the node's end of the pair.
const nodeLink = "eth0"

// connect connects the network of a process with this one. The first network that
// nobody has is taken.
func connect(pid int) (*network, error) {
	var err error
	for number := range maxNetworks {
		n := newNetwork(number)
		if err = ip("link", "add", n.link, "type", "veth", "peer", "name", nodeLink, "netns", fmt.Sprint(pid)); err != nil {
			continue // it exists
		}
		if err := n.route(); err != nil {
			n.disconnect()
			return nil, err
		}
		return n, nil
	}
	return nil, err
}

// route sends what is meant for the cluster there, and makes sure of it: else it
// would leave the machine.
func (n *network) route() error {
	if err := errors.Join(
		ip("address", "add", n.host+"/30", "dev", n.link),
		ip("link", "set", n.link, "up"),
		ip("route", "add", n.all, "via", n.node, "dev", n.link),
	); err != nil {
		return err
	}
	out, err := exec.Command("ip", "route", "get", n.node).Output()
	if err == nil && !strings.Contains(string(out), " dev "+n.link+" ") {
		err = fmt.Errorf("the way to %s is %s, not the node's", n.node, out)
	}
	return err
}

// disconnect removes the pair, which has gone with the node in most cases.
func (n *network) disconnect() { _ = ip("link", "delete", n.link) }

// configure gives the node's end its address.
func (n *network) configure() error {
	return errors.Join(
		ip("link", "set", "lo", "up"),
		ip("address", "add", n.node+"/30", "dev", nodeLink),
		ip("link", "set", nodeLink, "up"),
		os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o600),
	)
}

func ip(args ...string) error {
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}
