// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
)

// mutant is one change of the program.
type mutant struct {
	id   int
	file string
	line int
	kind string
	text string // what is changed, on one line
}

func (m mutant) String() string { return fmt.Sprintf("%s:%d: %s: %s", m.file, m.line, m.kind, m.text) }

// The kinds of mutants.
const (
	negated = "negated"
	moved   = "moved by one"
	dropped = "dropped"
)

// insertion is text that is put into a file, or in the place of so many bytes of it.
type insertion struct {
	at, instead int
	text        string
	outer       int // of two at one place, which is the outer one: the end of its node for an opening
}

// mutator puts the mutants of one file into it.
type mutator struct {
	fset       *token.FileSet
	file       string
	src        []byte
	next       int
	mutants    []mutant
	insertions []insertion
	conditions map[ast.Expr]bool // that are mutants already
}

// mutate returns a file with all its mutants, whose numbers begin with first.
func mutate(name string, src []byte, first int) ([]byte, []mutant, error) {
	m := &mutator{fset: token.NewFileSet(), file: name, src: src, next: first, conditions: map[ast.Expr]bool{}}
	f, err := parser.ParseFile(m.fset, name, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, nil, err
	}
	for _, d := range f.Decls {
		// What is declared outside of functions is evaluated before a switch is set.
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
			ast.Inspect(fn.Body, m.visit)
		}
	}
	return m.apply(), m.mutants, nil
}

func (m *mutator) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GenDecl:
		return n.Tok != token.CONST
	case *ast.IfStmt:
		m.negate(n.Cond)
		m.dropReturn(n)
	case *ast.ForStmt:
		m.negate(n.Cond)
	case *ast.SwitchStmt:
		if n.Tag == nil {
			m.negateCases(n.Body)
		}
	case *ast.UnaryExpr:
		if n.Op == token.NOT {
			m.negate(n.X)
		}
	case *ast.BinaryExpr:
		m.binary(n)
	case *ast.BlockStmt:
		m.drop(n.List)
	case *ast.CaseClause:
		m.drop(n.Body)
	case *ast.CommClause:
		m.drop(n.Body)
	}
	return true
}

func (m *mutator) negateCases(body *ast.BlockStmt) {
	for _, c := range body.List {
		for _, e := range c.(*ast.CaseClause).List {
			m.negate(e)
		}
	}
}

// helpers are the functions that compare, by operator.
var helpers = map[token.Token]string{
	token.LSS: "mutantLess", token.LEQ: "mutantAtMost", token.GTR: "mutantMore", token.GEQ: "mutantAtLeast",
}

func (m *mutator) binary(n *ast.BinaryExpr) {
	switch n.Op {
	case token.LAND, token.LOR:
		for _, x := range []ast.Expr{n.X, n.Y} {
			// To negate all of what is joined by the same operator is to negate none of it.
			if inner, ok := ast.Unparen(x).(*ast.BinaryExpr); !ok || inner.Op != n.Op {
				m.negate(x)
			}
		}
	case token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ:
		m.negate(n)
	}
	if helper := helpers[n.Op]; helper != "" {
		id := m.add(n, moved)
		m.insertions = append(m.insertions, insertion{at: m.offset(n.OpPos), instead: len(n.Op.String()), text: ","})
		m.wrap(n, fmt.Sprintf("%s(%d, ", helper, id), ")")
	}
}

// negate makes a mutant of a condition that is none yet.
func (m *mutator) negate(e ast.Expr) {
	if e == nil {
		return
	}
	e = ast.Unparen(e)
	if not, ok := e.(*ast.UnaryExpr); ok && not.Op == token.NOT {
		e = ast.Unparen(not.X) // which is the same
	}
	if m.conditions[e] {
		return
	}
	m.conditions[e] = true
	m.wrap(e, fmt.Sprintf("(mutant(%d) != (", m.add(e, negated)), "))")
}

// drop makes mutants of the statements of a list that can be left out.
func (m *mutator) drop(list []ast.Stmt) {
	for _, s := range list {
		switch s := s.(type) {
		case *ast.ExprStmt:
			if onlySays(s.X) {
				continue
			}
		case *ast.AssignStmt:
			if s.Tok == token.DEFINE || isBlank(s.Lhs) {
				continue
			}
		case *ast.IncDecStmt, *ast.SendStmt, *ast.DeferStmt, *ast.GoStmt:
		case *ast.BranchStmt:
			if s.Tok == token.FALLTHROUGH {
				continue
			}
		default:
			continue
		}
		m.dropOne(s)
	}
}

// dropReturn makes a mutant of the return at the end of an if without else: no function
// needs it for its end.
func (m *mutator) dropReturn(n *ast.IfStmt) {
	if n.Else != nil || len(n.Body.List) == 0 {
		return
	}
	if r, ok := n.Body.List[len(n.Body.List)-1].(*ast.ReturnStmt); ok && len(n.Body.List) > 1 {
		m.dropOne(r) // alone it is the negated condition over again
	}
}

func (m *mutator) dropOne(s ast.Stmt) {
	m.wrap(s, fmt.Sprintf("if !mutant(%d) { ", m.add(s, dropped)), " }")
}

// onlySays tells whether a call does nothing but write a log, or ends the process.
func onlySays(e ast.Expr) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name == "panic"
	case *ast.SelectorExpr:
		return f.Sel.Name == "Info" || f.Sel.Name == "Error" && len(call.Args) > 1
	}
	return false
}

func isBlank(all []ast.Expr) bool {
	return !slices.ContainsFunc(all, func(e ast.Expr) bool {
		name, ok := e.(*ast.Ident)
		return !ok || name.Name != "_"
	})
}

func (m *mutator) add(n ast.Node, kind string) int {
	id := m.next
	m.next++
	text := strings.Join(strings.Fields(string(m.src[m.offset(n.Pos()):m.offset(n.End())])), " ")
	m.mutants = append(m.mutants, mutant{id, m.file, m.fset.Position(n.Pos()).Line, kind, text})
	return id
}

func (m *mutator) offset(p token.Pos) int { return m.fset.Position(p).Offset }

func (m *mutator) wrap(n ast.Node, before, after string) {
	from, to := m.offset(n.Pos()), m.offset(n.End())
	m.insertions = append(m.insertions, insertion{at: from, text: before, outer: to}, insertion{at: to, text: after, outer: -from})
}

// apply puts the insertions into the text. Where nodes begin or end at one place, what
// encloses more stands further out.
func (m *mutator) apply() []byte {
	order := make([]int, len(m.insertions))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := m.insertions[a], m.insertions[b]
		xOpens, yOpens := x.outer > 0, y.outer > 0
		switch {
		case x.at != y.at:
			return x.at - y.at
		case xOpens != yOpens && xOpens: // what ends here comes before what begins
			return 1
		case xOpens != yOpens:
			return -1
		case xOpens && x.outer != y.outer:
			return y.outer - x.outer
		case xOpens:
			return a - b // of one node, what was put there first is outside
		case x.outer != y.outer:
			return x.outer - y.outer
		default:
			return b - a
		}
	})
	var out []byte
	done := 0
	for _, i := range order {
		in := m.insertions[i]
		out = append(out, m.src[done:in.at]...)
		out = append(out, in.text...)
		done = in.at + in.instead
	}
	return append(out, m.src[done:]...)
}
