// Package storageos is the client of the StorageOS control plane API, for the
// calls that the controller makes: login, and reading the cluster, its nodes,
// namespaces and volumes. It never changes anything.
//
// It stands on the generated client github.com/storageos/go-api/v2: its models
// everywhere, its calls for login and renewal. Everything else is read by this
// package, because the generated calls hold a whole response in memory twice
// and take an empty body or "null" for an empty list.
package storageos
