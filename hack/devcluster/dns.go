package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// runDNS answers Pods that ask for the address of a Service. Other names do not
// exist, and a Service has one address of version 4.
func runDNS(args []string) error {
	fs := flag.NewFlagSet("dns", flag.ContinueOnError)
	kubeconfig := fs.String("kubeconfig", "", "`file` that says where the API server is")
	listen := fs.String("listen", "", "`address` to listen on, host:port")
	if err := fs.Parse(args); err != nil {
		return fmt.Errorf("dns: %w", err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return fmt.Errorf("dns: %w", err)
	}
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("dns: %w", err)
	}
	conn, err := net.ListenPacket("udp", *listen)
	if err != nil {
		return fmt.Errorf("dns: %w", err)
	}
	for {
		packet := make([]byte, 512)
		n, from, err := conn.ReadFrom(packet)
		if err != nil {
			return fmt.Errorf("dns: %w", err)
		}
		go func() {
			if reply, err := answer(packet[:n], addressOf(client)); err != nil {
				fmt.Println("dns:", err)
			} else if _, err := conn.WriteTo(reply, from); err != nil {
				fmt.Println("dns:", err)
			}
		}()
	}
}

var errNoSuchName = errors.New("there is no such name")

// addressOf finds the address of a Service.
func addressOf(client kubernetes.Interface) func(namespace, name string) (net.IP, error) {
	return func(namespace, name string) (net.IP, error) {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		service, err := client.CoreV1().Services(namespace).Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil, errNoSuchName
		}
		if err != nil {
			return nil, err
		}
		if ip := net.ParseIP(service.Spec.ClusterIP).To4(); ip != nil {
			return ip, nil
		}
		return nil, errNoSuchName
	}
}

// answer makes the reply to a query.
func answer(packet []byte, address func(namespace, name string) (net.IP, error)) ([]byte, error) {
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
	err := errNoSuchName
	if ok {
		ip, err = address(namespace, name)
	}
	switch {
	case errors.Is(err, errNoSuchName):
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
