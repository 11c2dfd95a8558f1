package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/cli-runtime/pkg/printers"
	"sigs.k8s.io/yaml"
)

var formats = []string{"table", "wide", "json", "yaml"}

// output is how a result is written.
type output struct{ format string }

func (o *output) addFlag(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&o.format, "output", "o", "table", "Output format: "+strings.Join(formats, "|"))
	must(cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp)))
}

// must is for what only a mistake in this program can cause.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

func (o *output) validate() error {
	if !slices.Contains(formats, o.format) {
		return fmt.Errorf("unknown output format %q: use -o with one of %s", o.format, strings.Join(formats, ", "))
	}
	return nil
}

// print writes the rows as a table, or the value as JSON or YAML.
func (o *output) print(w io.Writer, columns []metav1.TableColumnDefinition, rows [][]any, value any) error {
	switch o.format {
	case "json":
		raw, err := json.MarshalIndent(value, "", "    ")
		if err == nil {
			_, err = fmt.Fprintf(w, "%s\n", raw)
		}
		return err
	case "yaml":
		raw, err := yaml.Marshal(value)
		if err == nil {
			_, err = w.Write(raw)
		}
		return err
	}
	table := &metav1.Table{ColumnDefinitions: columns}
	for _, cells := range rows {
		table.Rows = append(table.Rows, metav1.TableRow{Cells: cells, Object: runtime.RawExtension{}})
	}
	return printers.NewTablePrinter(printers.PrintOptions{Wide: o.format == "wide"}).PrintObj(table, w)
}

// columns makes the definitions of columns; those after the first wide ones are
// shown with -o wide only.
func columns(names, wide []string) []metav1.TableColumnDefinition {
	var all []metav1.TableColumnDefinition
	for _, n := range names {
		all = append(all, metav1.TableColumnDefinition{Name: n, Type: "string"})
	}
	for _, n := range wide {
		all = append(all, metav1.TableColumnDefinition{Name: n, Type: "string", Priority: 1})
	}
	return all
}

// age is how long ago something was, as kubectl says it.
func age(t, now time.Time) string {
	if t.IsZero() {
		return "<unknown>"
	}
	return duration.HumanDuration(now.Sub(t))
}
