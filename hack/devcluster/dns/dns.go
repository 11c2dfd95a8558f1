// Package dns is a name server for Pods that knows Services: other names do not
// exist, and a Service has one address of version 4.
package dns

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// Address finds the address of a Service, or ErrNoSuchName.
type Address func(namespace, name string) (net.IP, error)

// ErrNoSuchName says that there is no such Service, or that it has no address.
var ErrNoSuchName = errors.New("there is no such name")

// Serve answers queries until the connection is closed.
func Serve(conn net.PacketConn, address Address) error {
	for {
		packet := make([]byte, 512)
		n, from, err := conn.ReadFrom(packet)
		if err != nil {
			return fmt.Errorf("dns: %w", err)
		}
		go func() {
			if reply, err := answer(packet[:n], address); err != nil {
				fmt.Println("dns:", err)
			} else if _, err := conn.WriteTo(reply, from); err != nil {
				fmt.Println("dns:", err)
			}
		}()
	}
}

// answer makes the reply to a query.
func answer(packet []byte, address Address) ([]byte, error) {
	var query dnsmessage.Message
	if err := query.Unpack(packet); err != nil {
		return nil, err
	}
	if query.Response || len(query.Questions) != 1 {
		return nil, errors.New("not a query with one question")
	}
	question := query.Questions[0]
	reply := dnsmessage.Message{
		Header: dnsmessage.Header{
			ID: query.ID, Response: true, Authoritative: true,
			RecursionDesired: query.RecursionDesired, RecursionAvailable: true,
		},
		Questions: query.Questions,
	}
	namespace, name, ok := service(question.Name.String())
	var ip net.IP
	err := ErrNoSuchName
	if ok {
		ip, err = address(namespace, name)
	}
	switch {
	case errors.Is(err, ErrNoSuchName):
		reply.RCode = dnsmessage.RCodeNameError
	case err != nil:
		reply.RCode = dnsmessage.RCodeServerFailure
	case question.Type == dnsmessage.TypeA:
		reply.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET, TTL: 5},
			Body:   &dnsmessage.AResource{A: [4]byte(ip)},
		}}
	}
	return reply.Pack()
}

// service splits NAME.NAMESPACE.svc.cluster.local.
func service(domain string) (namespace, name string, ok bool) {
	rest, ok := strings.CutSuffix(strings.ToLower(domain), ".svc.cluster.local.")
	name, namespace, two := strings.Cut(rest, ".")
	return namespace, name, ok && two && !strings.Contains(namespace, ".")
}
