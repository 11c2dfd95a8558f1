package launcher

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// reservePorts finds ports of loopback that nobody listens on, and that nobody is given while
// the cluster starts: they are below those that the kernel hands out, and a launcher that holds
// one for UDP has it for TCP too, as far as other launchers go.
func (c *cluster) reservePorts(n int) ([]string, error) {
	const lowest, kernels, tries = 10_000, 32_768, 1000
	var ports []string
	for range tries {
		if len(ports) == n {
			return ports, nil
		}
		port := strconv.Itoa(lowest + rand.IntN(kernels-lowest))
		held, err := net.ListenPacket("udp", "127.0.0.1:"+port)
		if err != nil {
			continue
		}
		l, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			held.Close()
			continue
		}
		l.Close()
		c.ports = append(c.ports, held)
		ports = append(ports, port)
	}
	return nil, fmt.Errorf("no %d free ports were found in %d tries", n, tries)
}
