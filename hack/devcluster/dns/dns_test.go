package dns

import (
	"errors"
	"net"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

func TestAnswer(t *testing.T) {
	t.Parallel()
	address := func(namespace, name string) (net.IP, error) {
		switch namespace + "/" + name {
		case "storageos/storageos":
			return net.IPv4(198, 18, 1, 7).To4(), nil
		case "storageos/broken":
			return nil, errors.New("the API server is away")
		}
		return nil, ErrNoSuchName
	}
	for name, tc := range map[string]struct {
		domain string
		kind   dnsmessage.Type
		code   dnsmessage.RCode
		ip     string // "": no answer
	}{
		"a Service":              {"storageos.storageos.svc.cluster.local.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, "198.18.1.7"},
		"in upper case":          {"StorageOS.storageos.SVC.cluster.local.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, "198.18.1.7"},
		"its IPv6 address":       {"storageos.storageos.svc.cluster.local.", dnsmessage.TypeAAAA, dnsmessage.RCodeSuccess, ""},
		"another name":           {"other.storageos.svc.cluster.local.", dnsmessage.TypeA, dnsmessage.RCodeNameError, ""},
		"outside of the cluster": {"storageos.", dnsmessage.TypeA, dnsmessage.RCodeNameError, ""},
		"too long":               {"a.b.c.svc.cluster.local.", dnsmessage.TypeA, dnsmessage.RCodeNameError, ""},
		"no API server":          {"broken.storageos.svc.cluster.local.", dnsmessage.TypeA, dnsmessage.RCodeServerFailure, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			query := dnsmessage.Message{Header: dnsmessage.Header{ID: 7}, Questions: []dnsmessage.Question{{
				Name: dnsmessage.MustNewName(tc.domain), Type: tc.kind, Class: dnsmessage.ClassINET,
			}}}
			packet, err := query.Pack()
			if err != nil {
				t.Fatal(err)
			}
			packet, err = answer(packet, address)
			if err != nil {
				t.Fatal(err)
			}
			var reply dnsmessage.Message
			if err := reply.Unpack(packet); err != nil {
				t.Fatal(err)
			}
			ip := ""
			for _, a := range reply.Answers {
				a := a.Body.(*dnsmessage.AResource).A
				ip += net.IP(a[:]).String()
			}
			if reply.ID != 7 || reply.RCode != tc.code || ip != tc.ip {
				t.Errorf("%+v, want %v %q", reply, tc.code, tc.ip)
			}
		})
	}
}
