// Package policy decides what is to be done about one volume, out of what StorageOS and
// Kubernetes are known to say of it and of what is remembered. It does no I/O, reads no
// clock and holds no lock: the same values lead to the same decision.
package policy
