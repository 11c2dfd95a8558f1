package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// completions are the names, each once, that begin like this and were not given yet.
func completions(names, given []string, begin string) []string {
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool {
		return !strings.HasPrefix(name, begin) || slices.Contains(given, name)
	})
}

// once are the names without those that were given before.
func once(names []string) []string {
	var all []string
	for _, name := range names {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// completesFile has the shell complete the values of flags by files.
func completesFile(cmd *cobra.Command, flags ...string) {
	for _, flag := range flags {
		must(cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault)))
	}
}

// completeNodes completes the names of nodes: those that CSINodes name, and those by which
// records alone know a node.
func (c *cli) completeNodes(cmd *cobra.Command, given []string, begin string) ([]string, cobra.ShellCompDirective) {
	kube, client, err := c.clients()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	records, err := listRecords(cmd.Context(), client)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	csi, err := c.csiNodes(cmd.Context(), kube)
	if err != nil && !apierrors.IsForbidden(err) {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, n := range nodeEntries(record.Nodes(records), csi) {
		if n.Name != n.NodeID {
			names = append(names, n.names()...)
		}
	}
	return completions(names, given, begin), cobra.ShellCompDirectiveNoFileComp
}

// completeNamespaces completes namespaces: those of claims that use volumes, and for orphans those of claims
// that did, or whose volume is missing.
func (c *cli) completeNamespaces(cmd *cobra.Command, _ []string, begin string) ([]string, cobra.ShellCompDirective) {
	kube, client, err := c.clients()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	records, err := c.completeRecords(cmd.Context(), kube, client)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	used := func(r *v1.Volume) string { return record.ClaimOf(r).Namespace }
	var pvs []corev1.PersistentVolume
	if cmd.Name() == orphansName {
		used = usedFrom
		if pvs, err = c.listPersistentVolumes(cmd.Context(), kube); err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
	}
	var names []string
	for i := range records {
		names = append(names, used(&records[i]))
	}
	for _, pv := range pvs {
		names = append(names, claimNamespace(&pv))
	}
	names = slices.DeleteFunc(names, func(ns string) bool { return ns == "" })
	return completions(names, nil, begin), cobra.ShellCompDirectiveNoFileComp
}

// completeContexts completes the contexts of the kubeconfig.
func (c *cli) completeContexts(_ *cobra.Command, _ []string, begin string) ([]string, cobra.ShellCompDirective) {
	config, err := c.config.ToRawKubeConfigLoader().RawConfig()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return completions(slices.Collect(maps.Keys(config.Contexts)), nil, begin), cobra.ShellCompDirectiveNoFileComp
}
