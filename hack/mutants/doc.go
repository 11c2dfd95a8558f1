// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

// Mutants asks the tests whether they notice: it changes the program in one place at a time
// (a condition negated, a comparison moved by one, a statement dropped) and runs the unit
// tests. A mutant under which all of them pass has survived: a test is missing, or the change
// makes no difference, which equivalent.txt then explains.
//
// All mutants are compiled at once, each behind a switch that an environment variable sets,
// so that a mutant costs a run of the tests and no build. The tests are run once without
// any, which tells which mutants they reach at all.
//
// Usage: go run ./hack/mutants [-only REGEXP] [-o FILE]
package main
