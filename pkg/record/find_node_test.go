package record

import (
	"cmp"
	"slices"
	"strings"
	"testing"
)

// nodesOf are nodes that are written as ID:HOST,HOST, a + behind each host name under which a copy is well.
func nodesOf(text string) []Node {
	var nodes []Node
	for field := range strings.FieldsSeq(text) {
		id, hosts, _ := strings.Cut(field, ":")
		n := Node{ID: id}
		for host := range strings.SplitSeq(hosts, ",") {
			host, well := strings.CutSuffix(host, "+")
			n.Host = cmp.Or(n.Host, host)
			n.called(host, 0)
			if well {
				n.Usable++
				n.called(host, 1)
			}
		}
		nodes = append(nodes, n)
	}
	return nodes
}

// csiOf are what CSINodes tell: names and IDs, by turns.
func csiOf(text string) map[string]string {
	csi := map[string]string{}
	for of := range slices.Chunk(strings.Fields(text), 2) {
		csi[of[0]] = of[1]
	}
	return csi
}

// A node is known by what its CSINode says and by the name that records have.
func TestFindNode(t *testing.T) {
	t.Parallel()
	nodes := nodesOf("a:host-a+ b:host-c c:host-c d e f:host-f+ g:host-f+")
	for name, tc := range map[string]struct {
		node string
		csi  string
		want string
	}{
		"by its CSINode": {"worker", "worker x", "x"}, "by its name": {"host-a", "", "a"}, "by both": {"host-a", "host-a a", "a"},
		"they differ: either may be it": {"host-a", "host-a x", "a x"}, "by neither": {"worker", "", ""},
		"by its ID": {"a", "", "a"}, "made anew, under the same host name": {"worker", "worker b", "b c"},
		"the host name of another": {"worker", "worker f other g", "f"}, "by the host name of both": {"host-f", "worker f other g", "f g"},
		"that of another, by its ID": {"f", "worker f other g", "f"}, "and no copy is well": {"worker", "worker b other c", "b c"},
		"its CSINode has another's ID":     {"worker", "worker f more f other g", "f g"},
		"another's host name is asked for": {"host-f", "host-f a other f", "a f g"},
		"called like another's ID":         {"f", "f a", "a f"},
		"only that":                        {"b", "worker f", "b"}, // c has the same host name, and is another
		"by an ID that a CSINode has":      {"x", "worker x", "x"},
		"without a host name":              {"worker", "worker d", "d"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			is, _ := FindNode(tc.node, csiOf(tc.csi), nodes)
			if got := strings.Join(is, " "); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

// A host name tells which node is meant only if it is that of one that is there, and of no other machine.
func TestFindNodeCould(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		csi, nodes string
		is, want   string
	}{
		"one is there":                        {"", "a:host+ b:other", "a", ""},
		"and of another it is not known":      {"", "a:host+ b", "a", "b"},
		"which a CSINode names":               {"worker b", "a:host+ b", "a", ""},
		"but the one is of before":            {"worker b", "a:host b", "a", "b"},
		"of before, and the other is another": {"worker b", "a:host b:other", "a", ""},
		"of before, and asked for by CSINode": {"host a worker b", "a:host b", "a", ""},
		"it is another machine's":             {"worker a", "a:host+ b:other", "a", "b"},
		"and of what that was before":         {"worker a", "a:host+ b:other c:host", "a c", "b"},
		"and the CSINode is of before":        {"host x worker a", "a:host+ b:other c:host", "a c x", "b"},
		"also where that is not the first":    {"host a", "a:host c:other,host+", "a c", ""},
		"or the one has several":              {"worker a", "a:new,host c:new", "a", "c"},
		"by another host name of its own":     {"host a", "a:new,old c:old", "a c", ""},
		"one of several may be of before":     {"", "a:new,host+ b:other", "a", "b"},
		"of nobody":                           {"worker b", "b", "", ""},
		"its CSINode is of before":            {"host a", "a:old b:new", "a", "b"},
		"but they have one host name":         {"host a", "a:host b:new", "a", ""},
		"and the other is well":               {"host a", "a:host b:new+", "a", "b"}, // its disk may be in it
		"which is not its only one":           {"host a", "a:host,old b:new", "a", "b"},
		"nor tells it alone of that ID":       {"host a more a", "a:host b:new", "a", "b"},
		"or a copy is well on it":             {"host a", "a:old+ b:new", "a", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			is, could := FindNode("host", csiOf(tc.csi), nodesOf(tc.nodes))
			if strings.Join(is, " ") != tc.is || strings.Join(could, " ") != tc.want {
				t.Errorf("%q, and could be %q, want %q and %q", is, could, tc.is, tc.want)
			}
		})
	}
}
