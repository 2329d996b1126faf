package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

var dist = flag.String("dist", "", "folder of a release to look at")

// TestArchivesAreReproducible holds that order and machine leave no trace in an archive.
func TestArchivesAreReproducible(t *testing.T) {
	at := time.Date(2026, 11, 27, 5, 31, 19, 0, time.UTC)
	files := []file{{"b/a", []byte("1"), false}, {"a", []byte("2"), true}}
	for name, format := range map[string]func([]file, time.Time) ([]byte, error){"tar.gz": tarGz, "zip": zipped} {
		one, err := format(files, at)
		if err != nil {
			t.Fatal(err)
		}
		two, err := format([]file{files[1], files[0]}, at)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(one, two) {
			t.Errorf("%s: another order of the files gives other bytes", name)
		}
		read := unpackedZip
		if name == "tar.gz" {
			read = unpackedTar
		}
		got := read(t, one)
		if len(got) != 2 || string(got["b/a"].data) != "1" || got["b/a"].executable || !got["a"].executable {
			t.Errorf("%s: it has %v", name, got)
		}
	}
}

// TestDist looks at what make dist has made: make dist-test. What this machine can run is run.
func TestDist(t *testing.T) {
	if *dist == "" {
		t.Skip("make dist-test gives it a release")
	}
	if folder, err := filepath.Abs(*dist); err == nil {
		*dist = folder
	}
	t.Run("checksums", testChecksums)
	boms, err := filepath.Glob(filepath.Join(*dist, "*.cdx.json"))
	if err != nil || len(boms) == 0 {
		t.Fatalf("there is no list of modules in %s: %v", *dist, err)
	}
	var all []string
	for _, bom := range boms {
		name := strings.TrimSuffix(filepath.Base(bom), ".cdx.json")
		words := strings.Split(name, "_")
		system, arch := words[len(words)-2], words[len(words)-1]
		all = append(all, system+"/"+arch)
		t.Run(system+"_"+arch, func(t *testing.T) { testPlatform(t, name, system, arch) })
	}
	t.Logf("platforms: %v", all)
}

func testChecksums(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(*dist, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]string{}
	for line := range strings.Lines(string(text)) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		listed[name] = sum
	}
	entries, err := os.ReadDir(*dist)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() || e.Name() == "SHA256SUMS" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(*dist, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(data)); got != listed[e.Name()] {
			t.Errorf("%s has the sum %s, and %q in SHA256SUMS", e.Name(), got, listed[e.Name()])
		}
		delete(listed, e.Name())
	}
	for name := range listed {
		t.Errorf("SHA256SUMS names %s, which there is not", name)
	}
}

func testPlatform(t *testing.T, name, system, arch string) {
	read, ending, program := unpackedTar, ".tar.gz", "tracemig"
	if system == "windows" {
		read, ending, program = unpackedZip, ".zip", "tracemig.exe"
	}
	data, err := os.ReadFile(filepath.Join(*dist, name+ending))
	if err != nil {
		t.Fatal(err)
	}
	files := read(t, data)
	for _, want := range []string{
		program, "LICENSE", "README.md", "CHANGELOG.md", "completions/tracemig.bash", "completions/_tracemig", "completions/tracemig.fish",
		"completions/tracemig.ps1", "man/tracemig.1", "man/tracemig-run.1", "third-party-licences/README.txt",
		"third-party-licences/github.com/spf13/cobra/LICENSE.txt", "third-party-licences/std/LICENSE",
	} {
		if f, ok := files[name+"/"+want]; !ok || len(f.data) == 0 || f.executable != (want == program) {
			t.Errorf("%s: there (%v), %d bytes, executable: %v", want, ok, len(f.data), f.executable)
		}
	}
	folder := t.TempDir()
	for file, f := range files {
		if rest, ok := strings.CutPrefix(file, name+"/"); !ok || strings.Contains(rest, "..") {
			t.Fatalf("%s is outside of the folder %s", file, name)
		}
		if err := write(filepath.Join(folder, file), f.data); err != nil {
			t.Fatal(err)
		}
	}
	binary := filepath.Join(folder, name, program)
	if err := os.Chmod(binary, 0o755); err != nil {
		t.Fatal(err)
	}
	testHeader(t, binary, system, arch)
	testModules(t, filepath.Join(*dist, name+".cdx.json"), binary)
	testPages(t, filepath.Join(folder, name, "man"))
	if system == "linux" {
		testPackages(t, arch, files[name+"/"+program].data)
	}
	if system == runtime.GOOS && arch == runtime.GOARCH {
		testProgram(t, binary, strings.Split(name, "_")[1])
	}
}

// testHeader holds that a binary is one for its platform, and needs no library of it.
func testHeader(t *testing.T, binary, system, arch string) {
	t.Helper()
	var machine string
	var libraries []string
	switch system {
	case "linux":
		f, err := elf.Open(binary)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		machine = map[elf.Machine]string{elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64"}[f.Machine]
		libraries, _ = f.ImportedLibraries()
		for _, p := range f.Progs {
			if p.Type == elf.PT_INTERP {
				t.Error("it asks for a dynamic loader")
			}
		}
	case "darwin":
		f, err := macho.Open(binary)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		machine = map[macho.Cpu]string{macho.CpuAmd64: "amd64", macho.CpuArm64: "arm64"}[f.Cpu]
		libraries, _ = f.ImportedLibraries()
		libraries = slices.DeleteFunc(libraries, func(l string) bool { // part of every macOS, which has no other way in
			return strings.HasPrefix(l, "/usr/lib/") || strings.HasPrefix(l, "/System/Library/Frameworks/")
		})
	case "windows":
		f, err := pe.Open(binary)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		machine = map[uint16]string{pe.IMAGE_FILE_MACHINE_AMD64: "amd64", pe.IMAGE_FILE_MACHINE_ARM64: "arm64"}[f.Machine]
	}
	if machine != arch || len(libraries) > 0 {
		t.Errorf("it is for %q and needs %v; want %s and nothing", machine, libraries, arch)
	}
}

// testModules holds the list of modules against what the Go command reads from the binary.
func testModules(t *testing.T, path, binary string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var bom struct {
		BOMFormat  string
		Components []struct {
			Name, Version, PURL string
			Licenses            []any
		}
	}
	if err := json.Unmarshal(text, &bom); err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, c := range bom.Components {
		listed[c.Name+" "+c.Version] = true
		if c.PURL == "" || len(c.Licenses) == 0 {
			t.Errorf("%s has the address %q and %d licences", c.Name, c.PURL, len(c.Licenses))
		}
	}
	out, err := exec.Command("go", "version", "-m", binary).Output()
	if err != nil {
		t.Fatal(err)
	}
	built := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		switch {
		case len(words) >= 3 && words[0] == "dep":
			built[words[1]+" "+words[2]] = true
		case len(words) == 2 && strings.HasSuffix(words[0], ":"):
			built["std "+words[1]] = true
		case len(words) >= 2 && words[0] == "build" && strings.HasPrefix(words[1], "vcs"):
			t.Errorf("the clone got into the binary: %s", line)
		}
	}
	if len(built) < 40 || bom.BOMFormat != "CycloneDX" || !maps.Equal(listed, built) {
		t.Errorf("the list (%s) has %d modules, the binary %d; want the same\n%v\n%v", bom.BOMFormat, len(listed), len(built),
			slices.Sorted(maps.Keys(listed)), slices.Sorted(maps.Keys(built)))
	}
}

func testPages(t *testing.T, folder string) {
	t.Helper()
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Log("the manual pages are not rendered: groff is not installed")
		return
	}
	pages, _ := filepath.Glob(filepath.Join(folder, "*.1"))
	c := exec.Command(groff, append([]string{"-man", "-Tutf8", "-P-cbou", "-ww"}, pages...)...)
	var warnings bytes.Buffer
	c.Stderr = &warnings
	out, err := c.Output()
	if err != nil || warnings.Len() > 0 || !bytes.Contains(out, []byte("EXIT STATUS")) {
		t.Errorf("groff: %v, %d bytes\n%s", err, len(out), &warnings)
	}
}

// testPackages unpacks the packages of an architecture, whose binary has to be that of the archive.
func testPackages(t *testing.T, arch string, want []byte) {
	t.Helper()
	machine := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[arch]
	for glob, script := range map[string]string{
		"*_" + arch + ".deb":    `dpkg-deb -x "$1" .`,
		"*." + machine + ".rpm": `rpm2cpio "$1" | cpio -i --make-directories --no-absolute-filenames --quiet`, // it has absolute names
	} {
		found, _ := filepath.Glob(filepath.Join(*dist, glob))
		if len(found) != 1 {
			t.Errorf("the packages %s are %v, want one", glob, found)
			continue
		}
		tool := strings.Fields(script)[0]
		if _, err := exec.LookPath(tool); err != nil {
			t.Logf("%s is not unpacked: %s is not installed", found[0], tool)
			continue
		}
		c := exec.Command("sh", "-ec", script, "sh", found[0])
		c.Dir = t.TempDir()
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", found[0], err, out)
		}
		got, err := os.ReadFile(filepath.Join(c.Dir, "usr/bin/tracemig"))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: its binary is not that of the archive: %v", found[0], err)
		}
		for _, file := range []string{
			"usr/share/man/man1/tracemig-run.1.gz", "usr/share/bash-completion/completions/tracemig",
			"usr/share/doc/tracemig/third-party-licences/README.txt",
		} {
			if s, err := os.Stat(filepath.Join(c.Dir, file)); err != nil || s.Mode().Perm() != 0o644 {
				t.Errorf("%s: %s: %v", found[0], file, err)
			}
		}
		if s, err := os.Stat(filepath.Join(c.Dir, "usr/bin/tracemig")); err != nil || s.Mode().Perm() != 0o755 {
			t.Errorf("%s: the binary is not executable: %v", found[0], err)
		}
	}
}

// testProgram tries the binary for this machine as somebody would who has just unpacked it.
func testProgram(t *testing.T, binary, version string) {
	t.Helper()
	run := func(args ...string) string {
		c := exec.Command(binary, args...)
		c.Dir = t.TempDir()
		c.Env = []string{"HOME=" + c.Dir}
		out, err := c.CombinedOutput()
		if err != nil {
			t.Errorf("tracemig %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	if said := run("version"); !strings.Contains(said, "v"+version+" (") || strings.Contains(said, "unknown commit") {
		t.Errorf("tracemig version says %q, want v%s with a commit", said, version)
	}
	if said := run("--help"); !strings.Contains(said, "EXIT STATUS") {
		t.Errorf("tracemig --help says %q", said)
	}
	run("demo", "lake")
	completions := filepath.Join(filepath.Dir(binary), "completions")
	for shell, name := range map[string]string{"bash": "tracemig.bash", "zsh": "_tracemig", "fish": "tracemig.fish"} {
		if _, err := exec.LookPath(shell); err != nil {
			continue
		}
		if out, err := exec.Command(shell, "-n", filepath.Join(completions, name)).CombinedOutput(); err != nil {
			t.Errorf("%s -n: %v\n%s", shell, err, out)
		}
	}
}

func unpackedTar(t *testing.T, data []byte) map[string]file {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]file{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[path.Clean(h.Name)] = file{h.Name, text, h.Mode&0o111 != 0}
	}
}

func unpackedZip(t *testing.T, data []byte) map[string]file {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]file{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[path.Clean(f.Name)] = file{f.Name, text, f.Mode()&0o111 != 0}
	}
	return files
}
