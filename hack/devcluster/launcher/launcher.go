// Package launcher starts the processes of a control plane and ends them.
package launcher

import "io"

func Usage(w io.Writer) {}
func Kubeconfig() (string, error) { return "", nil }
type Commands struct{}
func Self(string) Commands { return Commands{} }
func Main(args []string, c Commands) int { return 0 }
