package main

import (
	"go/format"
	"slices"
	"testing"
)

func TestMutate(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body    string
		mutants []string
		want    string
	}{
		"a condition": {
			"if a { return }\nb()", []string{"dropped: b()", "negated: a"},
			"if (mutant(2) != (a)) { return }\nif !mutant(1) { b() }",
		},
		"a comparison": {
			"for i < n { i++ }", []string{"dropped: i++", "moved by one: i < n", "negated: i < n"},
			"for (mutant(1) != (mutantLess(2, i, n))) { if !mutant(3) { i++ } }",
		},
		"what is joined": {
			"if !a && (b || c) { return }", []string{"negated: !a && (b || c)", "negated: a", "negated: b", "negated: b || c", "negated: c"},
			"if (mutant(1) != (!(mutant(2) != (a)) && ((mutant(3) != ((mutant(4) != (b)) || (mutant(5) != (c))))))) { return }",
		},
		"cases": {
			"switch {\ncase a:\nb()\ndefault:\nc = 1\n}", []string{"dropped: b()", "dropped: c = 1", "negated: a"},
			"switch {\ncase (mutant(1) != (a)):\nif !mutant(2) { b() }\ndefault:\nif !mutant(3) { c = 1 }\n}",
		},
		"a return behind something else": {
			"if a {\nb()\nreturn\n}", []string{"dropped: b()", "dropped: return", "negated: a"},
			"if (mutant(1) != (a)) {\nif !mutant(3) { b() }\nif !mutant(2) { return }\n}",
		},
		"what says something, or ends": {"logger.Info(\"a\")\npanic(b)", nil, "logger.Info(\"a\")\npanic(b)"},
		"what is declared":             {"a := b\nconst c = d == 1\n_ = a", nil, "a := b\nconst c = d == 1\n_ = a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := func(body string) string { return "package p\n\nfunc f() {\n" + body + "\n}\n" }
			got, mutants, err := mutate("p.go", []byte(text(tc.body)), 1)
			if err != nil {
				t.Fatal(err)
			}
			var kinds []string
			for _, m := range mutants {
				kinds = append(kinds, m.kind+": "+m.text)
			}
			slices.Sort(kinds)
			if !slices.Equal(kinds, tc.mutants) {
				t.Errorf("mutants %q, want %q", kinds, tc.mutants)
			}
			if formatted(t, string(got)) != formatted(t, text(tc.want)) {
				t.Errorf("got\n%s\nwant\n%s", got, text(tc.want))
			}
		})
	}
}

func formatted(t *testing.T, text string) string {
	t.Helper()
	out, err := format.Source([]byte(text))
	if err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	return string(out)
}
