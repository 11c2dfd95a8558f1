package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/printers"
	"k8s.io/kubectl/pkg/cmd/get"
	"sigs.k8s.io/yaml"
	"sigs.k8s.io/yaml/kyaml"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// formats are those of -o that say all; behind a template's "=" stands what is to be printed,
// or the file that says so.
var (
	formats   = []string{"table", "wide", "json", "yaml", "kyaml", "name"}
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

// validate refuses what is no format. kubectl takes capital letters too.
func (o *output) validate() error {
	if known := slices.IndexFunc(formats, func(f string) bool { return strings.EqualFold(f, o.format) }); known >= 0 {
		o.format = formats[known]
		return nil
	}
	_, err := o.printer()
	return err
}

// printer is kubectl's own, for a template.
func (o *output) printer() (printers.ResourcePrinter, error) {
	p, err := genericclioptions.NewKubeTemplatePrintFlags().ToPrinter(o.format)
	if genericclioptions.IsNoCompatiblePrinterError(err) {
		p, err = get.NewCustomColumnsPrintFlags().ToPrinter(o.format)
	}
	if genericclioptions.IsNoCompatiblePrinterError(err) {
		return nil, fmt.Errorf("unknown output format %q: use -o with one of %s", o.format, allFormats(", "))
	}
	return p, err
}

// print writes the rows as a table, or what was found in another format.
func (o *output) print(w io.Writer, columns []metav1.TableColumnDefinition, rows [][]any, found findings) error {
	switch o.format {
	case "json":
		raw, err := json.MarshalIndent(found.whole, "", "    ")
		if err == nil {
			_, err = fmt.Fprintf(w, "%s\n", raw)
		}
		return err
	case "yaml":
		raw, err := yaml.Marshal(found.whole)
		if err == nil {
			_, err = w.Write(raw)
		}
		return err
	case "kyaml":
		return (&kyaml.Encoder{}).FromObject(found.whole, w)
	case "table", "wide":
		table := &metav1.Table{ColumnDefinitions: columns}
		for _, cells := range rows {
			table.Rows = append(table.Rows, metav1.TableRow{Cells: cells, Object: runtime.RawExtension{}})
		}
		return printers.NewTablePrinter(printers.PrintOptions{Wide: o.format == "wide"}).PrintObj(table, w)
	case "name":
		for _, name := range slices.Compact(found.names) { // several differences may be of one
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
	if !strings.HasPrefix(o.format, "custom-columns") {
		return p.PrintObj(&unstructured.Unstructured{Object: object(found.document)}, w)
	}
	rowed, err := (&unstructured.Unstructured{Object: object(found.list)}).ToList()
	if err != nil {
		return err
	}
	return p.PrintObj(rowed, w)
}

// isDocument tells whether a program may read what is written: it gets an empty document, not
// a sentence.
func (o *output) isDocument() bool { return o.format != "table" && o.format != "wide" }

// findings are what a command has found, in the forms that are no table.
type findings struct {
	whole    any      // what -o json and yaml print
	document any      // what templates see
	list     any      // of which custom-columns make a row each
	names    []string // as kubectl knows what they are about
}

// listOf is how kubectl makes one document of several.
type listOf[T any] struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Items      []T    `json:"items"`
}

// asFindings makes an array of findings and, for templates, which want an object, a List.
func asFindings[T any](found []T, name func(T) string) findings {
	if found == nil {
		found = []T{} // not null
	}
	list := listOf[T]{"v1", "List", found}
	f := findings{whole: found, document: list, list: list}
	for _, one := range found {
		f.names = append(f.names, name(one))
	}
	return f
}

// volumeName is a record as kubectl knows it.
func volumeName(name string) string { return "volume." + v1.SchemeGroupVersion.Group + "/" + name }

func persistentVolumeName(name string) string { return "persistentvolume/" + name }

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

// plain is a text for a line: what would end it, or write elsewhere, is escaped, as in tables. Host names
// and IDs are what StorageOS says they are.
func plain(text string) string {
	var b strings.Builder
	for _, r := range text {
		if unicode.IsControl(r) {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// age is how long ago something was, as kubectl says it.
func age(t, now time.Time) string {
	if t.IsZero() {
		return "<unknown>"
	}
	return duration.HumanDuration(now.Sub(t))
}
