package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb" // the kinds of package that there are
	_ "github.com/goreleaser/nfpm/v2/rpm"
)

//go:embed nfpm.yaml
var packageConfig []byte

// writePackages writes the packages for Linux.
func (r *release) writePackages() error {
	for _, p := range r.platforms {
		if p.os != "linux" {
			continue
		}
		for _, kind := range []string{"deb", "rpm"} {
			if err := r.writePackage(p, kind); err != nil {
				return fmt.Errorf("%s for %s: %w", kind, p.arch, err)
			}
		}
	}
	return nil
}

func (r *release) writePackage(p platform, kind string) error {
	values := map[string]string{
		"ARCH": p.arch, "VERSION": r.version, "BINARY": p.binary,
		"EXTRA": filepath.Join(r.dist, "extra"), "ROOT": r.root,
	}
	config, err := nfpm.ParseWithEnvMapping(bytes.NewReader(packageConfig), func(name string) string { return values[name] })
	if err != nil {
		return err
	}
	info, err := config.Get(kind)
	if err != nil {
		return err
	}
	info.MTime = r.date
	info = nfpm.WithDefaults(info)
	if err := nfpm.PrepareForPackager(info, kind); err != nil {
		return err
	}
	for _, f := range info.Contents { // umask and clock of this machine have no say
		f.FileInfo.MTime, f.FileInfo.Mode = r.date, 0o644
		if strings.HasPrefix(f.Destination, "/usr/bin/") || strings.HasSuffix(f.Type, "dir") {
			f.FileInfo.Mode = 0o755
		}
	}
	packager, err := nfpm.Get(kind)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := packager.Package(info, &b); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.dist, packager.ConventionalFileName(info)), b.Bytes(), 0o644)
}
