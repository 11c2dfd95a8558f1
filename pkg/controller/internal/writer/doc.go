// Package writer brings records in Kubernetes to what they should say: it creates, patches
// and deletes them. Each patch and each deletion is for one version of a record: if that is
// not the stored one any more, the API server refuses it.
package writer
