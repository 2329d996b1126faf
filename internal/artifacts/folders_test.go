package artifacts

import (
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/mlflowdb"
)

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func newStore(t *testing.T, opts Options) *Store {
	t.Helper()
	s, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFolders(t *testing.T) {
	root := filepath.Join(t.TempDir(), "a b")
	put(t, filepath.Join(root, "1/traces/tr-1/artifacts/traces.json"), `{"spans":[]}`)
	put(t, filepath.Join(root, "1/traces/tr-1/artifacts/attachments/x"), "bytes")
	put(t, filepath.Join(root, "secret"), "secret")
	at := filepath.Join(root, "1/traces/tr-1/artifacts")
	if err := errors.Join(os.Symlink(filepath.Join(root, "secret"), filepath.Join(at, "out")), os.Mkdir(filepath.Join(root, "2"), 0o755),
		syscall.Mkfifo(filepath.Join(at, "pipe"), 0o644)); err != nil {
		t.Fatal(err)
	}
	s := newStore(t, Options{Destination: root})
	const has, gone, elsewhere, refused = "has", "gone", "elsewhere", "refused"
	for _, c := range []struct{ location, name, want string }{
		{at, "traces.json", has},
		{(&url.URL{Scheme: "file", Path: at}).String(), "traces.json", has},
		{"mlflow-artifacts:/1/traces/tr-1/artifacts", "attachments/x", has},
		{at, "traces.pb", gone},
		{filepath.Join(root, "1/traces/tr-2/artifacts"), "traces.json", gone},
		{filepath.Join(root, "2/traces/tr-2/artifacts"), "traces.json", elsewhere}, // No trace of this experiment has files here.
		{"/no/such/folder/1/traces/tr-2/artifacts", "traces.json", elsewhere},
		{"hdfs:///x", "traces.json", elsewhere},
		{at, "../../tr-1/artifacts/traces.json", refused},
		{at, "/etc/passwd", refused},
		{at, ".", refused},
		{at, "out", elsewhere},
		{at, "attachments", elsewhere},
		{at, "pipe", elsewhere},
	} {
		body, err := s.Read(t.Context(), c.location, c.name)
		got := refused
		switch {
		case err == nil && len(body) > 0 && string(body) != "secret":
			got = has
		case errors.Is(err, fs.ErrNotExist) && !errors.Is(err, mlflowdb.ErrElsewhere):
			got = gone
		case errors.Is(err, mlflowdb.ErrElsewhere) && !errors.Is(err, fs.ErrNotExist):
			got = elsewhere
		}
		if got != c.want {
			t.Errorf("%s in %s: %s (%q, %v), want %s", c.name, c.location, got, body, err, c.want)
		}
	}
	_, err := s.Read(t.Context(), "/no/such/folder/1/traces/tr-2/artifacts", "traces.json")
	if err == nil || !strings.Contains(err.Error(), "--server") {
		t.Errorf("the error has no next step: %v", err)
	}
}

func TestFilesAreBounded(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "just"), "12345")
	put(t, filepath.Join(dir, "large"), "123456")
	s := newStore(t, Options{MaxBytes: 5})
	if body, err := s.Read(t.Context(), dir, "just"); string(body) != "12345" {
		t.Errorf("a file of the greatest size: %q, %v", body, err)
	}
	_, err := s.Read(t.Context(), dir, "large")
	if _, ok := errors.AsType[*mlflowclient.TooLargeError](err); !ok {
		t.Errorf("a larger file: %v, want a TooLargeError", err)
	}
}
