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
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/printers"
	"k8s.io/kubectl/pkg/cmd/get"
	"sigs.k8s.io/yaml"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// formats are those of -o that say all; behind a template's "=" stands what is to be printed,
// or the file that says so.
var (
	formats   = []string{"table", "wide", "json", "yaml", "name"}
	templates = []string{
		"jsonpath=", "jsonpath-as-json=", "jsonpath-file=", "go-template=", "go-template-file=",
		"custom-columns=", "custom-columns-file=",
	}
)

// output is how a result is written.
type output struct{ format string }

func (o *output) addFlag(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&o.format, "output", "o", "table", "Output format: "+allFormats("|"))
	must(cmd.RegisterFlagCompletionFunc("output", completeFormat))
}

// allFormats lists them for people.
func allFormats(separator string) string {
	return strings.Join(formats, separator) + separator + strings.Join(templates, "..."+separator) + "..."
}

// completeFormat completes the value of -o. No space follows a template's "=".
func completeFormat(_ *cobra.Command, _ []string, begin string) ([]string, cobra.ShellCompDirective) {
	differs := func(format string) bool { return !strings.HasPrefix(format, begin) }
	whole, open := slices.DeleteFunc(slices.Clone(formats), differs), slices.DeleteFunc(slices.Clone(templates), differs)
	if len(whole) == 0 {
		return open, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
	return append(whole, open...), cobra.ShellCompDirectiveNoFileComp
}

// must is for what only a mistake in this program can cause.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

func (o *output) validate() error {
	switch o.format {
	case "table", "wide", "json", "yaml", "name":
		return nil
	}
	_, err := o.printer()
	return err
}

// printer is kubectl's own for what is neither a table nor a document.
func (o *output) printer() (printers.ResourcePrinter, error) {
	flags := genericclioptions.NewPrintFlags("")
	flags.OutputFormat = &o.format
	p, err := flags.ToPrinter()
	if genericclioptions.IsNoCompatiblePrinterError(err) {
		p, err = get.NewCustomColumnsPrintFlags().ToPrinter(o.format)
	}
	if genericclioptions.IsNoCompatiblePrinterError(err) {
		return nil, fmt.Errorf("unknown output format %q: use -o with one of %s", o.format, allFormats(", "))
	}
	return p, err
}

// print writes the rows as a table, the value as JSON or YAML, the names, or the objects in
// kubectl's other formats.
func (o *output) print(w io.Writer, columns []metav1.TableColumnDefinition, rows [][]any, value any, of objects) error {
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
	case "table", "wide":
		table := &metav1.Table{ColumnDefinitions: columns}
		for _, cells := range rows {
			table.Rows = append(table.Rows, metav1.TableRow{Cells: cells, Object: runtime.RawExtension{}})
		}
		return printers.NewTablePrinter(printers.PrintOptions{Wide: o.format == "wide"}).PrintObj(table, w)
	case "name":
		for _, name := range of.names {
			if _, err := fmt.Fprintln(w, name); err != nil {
				return err
			}
		}
		return nil
	}
	p, err := o.printer()
	if err != nil {
		return err
	}
	return p.PrintObj(of.list(), w)
}

// isDocument tells whether a program may read what is written: it gets an empty document, not
// a sentence.
func (o *output) isDocument() bool { return o.format != "table" && o.format != "wide" }

// objects are findings in the form of objects.
type objects struct {
	names []string // as kubectl knows what they are about
	items []map[string]any
}

// asObjects makes objects of findings: what each of them says as JSON, as .items of a list.
func asObjects[T any](found []T, name func(T) string) objects {
	var o objects
	for _, f := range found {
		o.names = append(o.names, name(f))
		o.items = append(o.items, object(f))
	}
	return o
}

func (o objects) list() runtime.Object {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "List"})
	for _, item := range o.items {
		list.Items = append(list.Items, unstructured.Unstructured{Object: item})
	}
	return list
}

// volumeName is a record as kubectl knows it.
func volumeName(name string) string { return "volume." + v1.SchemeGroupVersion.Group + "/" + name }

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
