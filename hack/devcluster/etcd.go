package main

import (
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"syscall"

	"go.etcd.io/etcd/server/v3/embed"
)

// runEtcd runs etcd until it is asked to stop. Of etcd's own flags it knows
// those that the launcher gives.
func runEtcd(args []string) error {
	cfg := embed.NewConfig()
	fs := flag.NewFlagSet("etcd", flag.ContinueOnError)
	fs.StringVar(&cfg.Name, "name", cfg.Name, "name of this member")
	fs.StringVar(&cfg.Dir, "data-dir", cfg.Dir, "data folder")
	fs.StringVar(&cfg.InitialCluster, "initial-cluster", cfg.InitialCluster, "name=URL of each member")
	fs.BoolVar(&cfg.UnsafeNoFsync, "unsafe-no-fsync", false, "do not wait for the disk")
	fs.StringVar(&cfg.LogLevel, "log-level", cfg.LogLevel, "level of the log")
	for name, urls := range map[string]*[]url.URL{
		"listen-client-urls": &cfg.ListenClientUrls, "advertise-client-urls": &cfg.AdvertiseClientUrls,
		"listen-peer-urls": &cfg.ListenPeerUrls, "initial-advertise-peer-urls": &cfg.AdvertisePeerUrls,
	} {
		fs.Func(name, "URL", func(s string) error {
			u, err := url.Parse(s)
			if err == nil {
				*urls = []url.URL{*u}
			}
			return err
		})
	}
	if err := fs.Parse(args); err != nil {
		return fmt.Errorf("etcd: %w", err)
	}

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	defer e.Close()
	select {
	case <-stop:
		return nil
	case err := <-e.Err():
		return fmt.Errorf("etcd: %w", err)
	}
}
