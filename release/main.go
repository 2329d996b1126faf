// Command release makes of built binaries what is handed out: archives, packages, lists of what is in them, and checksums. It is a
// module of its own, so that what it needs stays out of tracemig's. make dist runs it.
//
//	release -version v1.2.3 -date 2026-11-27T05:31:19Z DIST
//
// The folder DIST has the binaries, as build/OS_ARCH/tracemig. The same binaries, version and date give the same bytes, wherever it runs.
package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/tracemig/tracemig/release/licences"
)

func main() {
	version := flag.String("version", "", "version, such as v1.2.3")
	date := flag.String("date", "", "time of the commit, which all files get")
	flag.Parse()
	at, err := time.Parse(time.RFC3339, *date)
	if err != nil || *version == "" || flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: release -version v1.2.3 -date 2026-11-27T05:31:19Z DIST")
		os.Exit(2)
	}
	r := release{root: "..", dist: flag.Arg(0), version: strings.TrimPrefix(*version, "v"), date: at.UTC()}
	if err := r.make(); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// release is what is made of one commit.
type release struct {
	root      string // the repository
	dist      string // where the binaries are, and the results go
	version   string // without the v
	date      time.Time
	modules   []*licences.Module
	platforms []platform
}

// platform is an operating system and a processor, and the binary for it.
type platform struct{ os, arch, binary string }

// name is the name of the platform's files, without what they end in.
func (r *release) name(p platform) string {
	return fmt.Sprintf("tracemig_%s_%s_%s", r.version, p.os, p.arch)
}

func (r *release) make() error {
	for _, step := range []func() error{r.findBinaries, r.writeExtra, r.writeArchives, r.writePackages, r.writeChecksums} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (r *release) findBinaries() error {
	found, err := filepath.Glob(filepath.Join(r.dist, "build", "*_*", "tracemig*"))
	if err != nil {
		return err
	}
	for _, binary := range found {
		system, arch, _ := strings.Cut(filepath.Base(filepath.Dir(binary)), "_")
		r.platforms = append(r.platforms, platform{system, arch, binary})
	}
	if len(r.platforms) == 0 {
		return fmt.Errorf("%s/build has no binaries; make dist builds them", r.dist)
	}
	return nil
}

func (r *release) extra(name string) string { return filepath.Join(r.dist, "extra", name) }

// writeExtra writes what comes along with every binary: completions, manual pages, licences.
func (r *release) writeExtra() error {
	i := slices.IndexFunc(r.platforms, func(p platform) bool { return p.os == runtime.GOOS && p.arch == runtime.GOARCH })
	if i < 0 {
		return fmt.Errorf("%s/build has no binary for this machine, %s_%s: it writes the manual pages and completions",
			r.dist, runtime.GOOS, runtime.GOARCH)
	}
	own, err := filepath.Abs(r.platforms[i].binary)
	if err != nil {
		return err
	}
	if out, err := exec.Command(own, "man", r.extra("man")).CombinedOutput(); err != nil {
		return fmt.Errorf("tracemig man: %w: %s", err, out)
	}
	if err := r.zipPages(); err != nil {
		return err
	}
	for shell, name := range map[string]string{
		"bash": "tracemig.bash", "zsh": "_tracemig", "fish": "tracemig.fish", "powershell": "tracemig.ps1",
	} {
		script, err := exec.Command(own, "completion", shell).Output()
		if err == nil {
			err = write(r.extra("completions/"+name), script)
		}
		if err != nil {
			return fmt.Errorf("tracemig completion %s: %w", shell, err)
		}
	}
	return r.writeLicences()
}

// zipPages writes the manual pages as packages have them, beside the plain ones.
func (r *release) zipPages() error {
	pages, err := filepath.Glob(r.extra("man/*.1"))
	if err != nil {
		return err
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			return err
		}
		var b bytes.Buffer
		z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is one that there is
		if _, err := z.Write(text); err != nil {
			return err
		}
		if err := z.Close(); err != nil {
			return err
		}
		if err := write(page+".gz", b.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

// writeLicences writes the licences of all modules, and stops the release where one is not allowed.
func (r *release) writeLicences() (err error) {
	var names []string
	for _, p := range r.platforms {
		names = append(names, p.os+"/"+p.arch)
	}
	if r.modules, err = licences.Collect(r.root, "./cmd/tracemig", names); err != nil {
		return err
	}
	return licences.Write(r.extra("third-party-licences"), r.modules)
}

// writeArchives writes for each platform an archive, and a list of what is in its binary.
func (r *release) writeArchives() error {
	for _, p := range r.platforms {
		files := []file{}
		for name, from := range map[string]string{
			filepath.Base(p.binary): p.binary,
			"LICENSE":               filepath.Join(r.root, "LICENSE"),
			"README.md":             filepath.Join(r.root, "README.md"),
			"CHANGELOG.md":          filepath.Join(r.root, "CHANGELOG.md"),
			"completions":           r.extra("completions"),
			"man":                   r.extra("man"),
			"third-party-licences":  r.extra("third-party-licences"),
		} {
			more, err := readAll(name, from)
			if err != nil {
				return err
			}
			files = append(files, more...)
		}
		files = slices.DeleteFunc(files, func(f file) bool { return strings.HasSuffix(f.name, ".1.gz") })
		for i := range files {
			files[i].name = path.Join(r.name(p), files[i].name)
			if files[i].name == path.Join(r.name(p), filepath.Base(p.binary)) {
				files[i].executable = true
			}
		}
		format, ending := tarGz, ".tar.gz"
		if p.os == "windows" {
			format, ending = zipped, ".zip"
		}
		data, err := format(files, r.date)
		if err == nil {
			err = write(filepath.Join(r.dist, r.name(p)+ending), data)
		}
		if err == nil {
			err = r.writeSBOM(p)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", r.name(p), err)
		}
	}
	return nil
}

// readAll reads a file, or all files of a folder, under a name of their own.
func readAll(name, from string) (files []file, err error) {
	err = filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, p)
		files = append(files, file{name: path.Join(name, filepath.ToSlash(rel)), data: data})
		return err
	})
	return files, err
}

func write(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, data, 0o644)
}

// writeChecksums writes SHA256SUMS, which sha256sum -c reads.
func (r *release) writeChecksums() error {
	entries, err := os.ReadDir(r.dist)
	if err != nil {
		return err
	}
	var sums strings.Builder
	for _, e := range entries { // in the order of their names
		if e.IsDir() || e.Name() == "SHA256SUMS" {
			continue
		}
		f, err := os.Open(filepath.Join(r.dist, e.Name()))
		if err != nil {
			return err
		}
		h := sha256.New()
		_, err = io.Copy(h, f)
		f.Close()
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", h.Sum(nil), e.Name())
	}
	return write(filepath.Join(r.dist, "SHA256SUMS"), []byte(sums.String()))
}
