package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"

	"github.com/tracemig/tracemig/internal/advice"
)

// startProfile begins to profile the program. stop writes the profiles into dir, for go tool pprof: cpu.pprof, and
// heap.pprof, which has all allocations since the start beside the live heap.
func startProfile(dir string) (stop func() error, err error) {
	wrap := func(err error) error {
		if err == nil {
			return nil
		}
		return advice.With(fmt.Errorf("profile: %w", err), "Name a folder that can be written with --pprof")
	}
	create := func(name string) (*os.File, error) {
		return os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, wrap(err)
	}
	cpu, err := create("cpu.pprof")
	if err != nil {
		return nil, wrap(err)
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		cpu.Close()
		return nil, wrap(err)
	}
	return func() error {
		pprof.StopCPUProfile()
		err := cpu.Close()
		heap, herr := create("heap.pprof")
		if herr == nil {
			herr = errors.Join(pprof.Lookup("heap").WriteTo(heap, 0), heap.Close())
		}
		return wrap(errors.Join(err, herr))
	}, nil
}
