package main

import (
	"bytes"
	"strings"
	"testing"
)

// What a table says of how it was made, and in which order its rows are.
func TestWrite(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		of   options
		want string
	}{
		"as is usual":      {options{volumes: usualVolumes}, "`make bench`"},
		"the large number": {options{volumes: 100_000}, "`make bench BENCH_VOLUMES=100000`"},
		"early reads":      {options{volumes: usualVolumes, early: true}, "`make bench BENCH_ARGS=-early`"},
		"both":             {options{volumes: 100_000, alone: true, early: true}, "`make bench BENCH_VOLUMES=100000 BENCH_ARGS='-alone -early'`"},
		"and only that":    {options{volumes: 100_000, alone: true}, "`make bench BENCH_VOLUMES=100000 BENCH_ARGS=-alone`"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := &bench{options: tc.of, versions: "controller v9"}
			for _, n := range []int{1_000, 10_000} {
				b.row(row{"one", n, "1", "2", "0.5", "≤ 1"})
				b.row(row{"another", n, "3", "-", "-", "-"})
			}
			var out bytes.Buffer
			b.write(&out)
			const table = `| one | 1,000 | 1 | 2 | 0.5 | ≤ 1 |
| one | 10,000 | 1 | 2 | 0.5 | ≤ 1 |
| another | 1,000 | 3 | - | - | - |
| another | 10,000 | 3 | - | - | - |
`
			if text := out.String(); !strings.Contains(text, "Written by "+tc.want+" in ") ||
				!strings.Contains(text, ", of\ncontroller v9.\n") || !strings.HasSuffix(text, table) {
				t.Errorf("it says\n%s", text)
			}
		})
	}
}
