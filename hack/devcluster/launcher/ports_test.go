package launcher

import (
	"net"
	"strconv"
	"testing"
)

// A port is given to one cluster at a time, and the kernel gives it to nobody who asks for
// any: it would be taken when the component that it is for begins to listen.
func TestReservePorts(t *testing.T) {
	t.Parallel()
	const each = 300
	taken := map[string]bool{}
	for range 4 {
		c := &cluster{}
		ports, err := c.reservePorts(each)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			for _, held := range c.ports {
				held.Close()
			}
		})
		for _, port := range ports {
			if taken[port] {
				t.Errorf("port %s is given twice", port)
			}
			taken[port] = true
			if n, err := strconv.Atoi(port); err != nil || n >= 32_768 {
				t.Errorf("port %s is one of the kernel's", port)
			}
		}
		if len(ports) != each {
			t.Errorf("%d ports, want %d", len(ports), each)
		}
	}
	for port := range taken {
		l, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			t.Errorf("port %s: %v", port, err)
			continue
		}
		l.Close()
	}
}
