// Package v1 is version v1 of the API group api.storageos.com.
//
// It has one kind, the cluster-scoped Volume: the record, kept in Kubernetes,
// of a volume of StorageOS and of the PersistentVolume that uses it. The volume
// sync controller is the only writer; whoever else reads a record may rely on
// every field meaning what its comment says.
//
// The kind is a superset of the one that earlier releases of the product
// installed: the fields known from there keep their names and types, are all
// optional, and have no value restricted to a list. A record written by
// an older program is therefore always a valid record.
//
// +k8s:deepcopy-gen=package
// +groupName=api.storageos.com
// +groupGoName=StorageOS
package v1
