package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/storageos/volume-sync-controller/hack/devcluster/dns"
)

// runDNS is the name server of Pods.
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
	return dns.Serve(conn, addressOf(client))
}

// addressOf finds the address of a Service.
func addressOf(client kubernetes.Interface) dns.Address {
	return func(namespace, name string) (net.IP, error) {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		service, err := client.CoreV1().Services(namespace).Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil, dns.ErrNoSuchName
		}
		if err != nil {
			return nil, err
		}
		if ip := net.ParseIP(service.Spec.ClusterIP).To4(); ip != nil {
			return ip, nil
		}
		return nil, dns.ErrNoSuchName
	}
}
