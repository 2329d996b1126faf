//go:build rig

package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
)

// fakeTB takes the place of a test where package rig asks for one.
type fakeTB struct {
	testing.TB // nil; it provides the interface's unexported method
	cleanups   []func()
	failed     bool
}

// fatal is the value that Fatal panics with.
type fatal struct{ error }

func (t *fakeTB) Helper()                 {}
func (t *fakeTB) Failed() bool            { return t.failed }
func (t *fakeTB) Logf(f string, a ...any) { fmt.Fprintf(os.Stderr, f+"\n", a...) }
func (t *fakeTB) Cleanup(f func())        { t.cleanups = append(t.cleanups, f) }
func (t *fakeTB) Fatal(a ...any)          { panic(fatal{errors.New(fmt.Sprint(a...))}) }

func (t *fakeTB) TempDir() string {
	dir, err := os.MkdirTemp("", "tracemig-bench-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// finish recovers from Fatal, whose message becomes the error, and runs the cleanups.
func (t *fakeTB) finish(err *error) {
	p := recover()
	f, ok := p.(fatal)
	if ok {
		*err = f.error
	}
	t.failed = *err != nil
	for _, v := range slices.Backward(t.cleanups) {
		v()
	}
	if p != nil && !ok {
		panic(p)
	}
}
