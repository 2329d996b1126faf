package attachments

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/config"

	"github.com/tracemig/tracemig/internal/databricks"
	"github.com/tracemig/tracemig/internal/retry"
)

const id = "00000000-0000-4000-8000-000000000001"

func TestLocalFiles(t *testing.T) {
	ctx, f, folder := t.Context(), &Files{}, filepath.Join(t.TempDir(), "a", "b")
	if err := f.Prepare(ctx, folder); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(folder); len(left) != 0 {
		t.Errorf("Prepare leaves %v, want nothing", left)
	}
	at := Place(folder, "t1", id)
	if want := filepath.Join(folder, "t1", id); at != want {
		t.Errorf("place %s, want %s", at, want)
	}
	if _, err := f.Size(ctx, at); !errors.Is(err, ErrNotThere) {
		t.Errorf("size of no file: error %v, want %v", err, ErrNotThere)
	}
	data := []byte("picture")
	put := func(want bool) {
		t.Helper()
		if written, err := f.Put(ctx, at, data, Digest(data)); err != nil || written != want {
			t.Errorf("written %v, error %v, want %v", written, err, want)
		}
		if got, err := os.ReadFile(at); err != nil || string(got) != string(data) {
			t.Errorf("the file has %q, error %v, want %q", got, err, data)
		}
	}
	put(true)
	before, err := os.Stat(at)
	if err != nil {
		t.Fatal(err)
	}
	put(false)
	if after, err := os.Stat(at); err != nil || !os.SameFile(before, after) || !after.ModTime().Equal(before.ModTime()) {
		t.Error("a file that was there was written again")
	}
	// Other bytes of the same size, and a cut one, are written anew.
	for _, other := range []string{"PICTURE", "pic"} {
		if err := os.WriteFile(at, []byte(other), 0o600); err != nil {
			t.Fatal(err)
		}
		put(true)
	}
	if sum, err := f.Sum(ctx, at); err != nil || sum != Digest(data) {
		t.Errorf("sum %s, error %v, want %s", sum, err, Digest(data))
	}
	// What killed runs have left of the file is removed once it is too old to be still written.
	old, young := temporary(at, "old"), temporary(at, "young")
	for _, name := range []string{old, young} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(old, time.Now(), time.Now().Add(-2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(at); err != nil {
		t.Fatal(err)
	}
	put(true)
	if left, _ := os.ReadDir(filepath.Dir(at)); len(left) != 2 {
		t.Errorf("the folder has %v, want the file and the young temporary one", left)
	}
}

func TestLocalFolderThatCantBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f := &Files{}
	want := "name one in which this user may write"
	if err := f.Prepare(t.Context(), filepath.Join(file, "x")); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want one with %q", err, want)
	}
	if _, err := f.Put(t.Context(), filepath.Join(file, "x", id), []byte("1"), Digest([]byte("1"))); err == nil {
		t.Error("written below a file")
	}
}

// volume serves the Files API from a map. Like the service it refuses a file whose folder does not exist.
type volume struct {
	mu      sync.Mutex
	files   map[string]string
	folders map[string]bool
	puts    int
}

func (v *volume) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	name, isFile := strings.CutPrefix(r.URL.Path, "/api/2.0/fs/files")
	folder, _ := strings.CutPrefix(r.URL.Path, "/api/2.0/fs/directories")
	content, there := v.files[name]
	switch {
	case r.Method == http.MethodPut && !isFile:
		v.folders[folder] = true
	case r.Method == http.MethodPut && !v.folders[filepath.Dir(name)],
		(r.Method == http.MethodGet || r.Method == http.MethodHead) && !there:
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, `{"error_code":"NOT_FOUND","message":"not found"}`)
	case r.Method == http.MethodPut:
		b, _ := io.ReadAll(r.Body)
		v.files[name] = string(b)
		v.puts++
	default:
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(content))
	}
}

func TestVolumeFiles(t *testing.T) {
	v := &volume{files: map[string]string{}, folders: map[string]bool{}}
	server := httptest.NewServer(v)
	defer server.Close()
	policy := retry.Policy{Initial: time.Millisecond, Max: time.Millisecond, Budget: time.Second}
	f := &Files{Volumes: sync.OnceValues(func() (*databricks.Files, error) {
		return databricks.NewFiles(&config.Config{Host: server.URL, Token: "t"}, policy, nil)
	})}
	ctx := context.Background()
	if err := f.Prepare(ctx, "/Volumes/c/s/v/a"); err != nil {
		t.Fatal(err)
	}
	at := Place("/Volumes/c/s/v/a/", "t1", id)
	if want := "/Volumes/c/s/v/a/t1/" + id; at != want {
		t.Errorf("place %s, want %s", at, want)
	}
	if _, err := f.Size(ctx, at); !errors.Is(err, ErrNotThere) {
		t.Errorf("size of no file: error %v, want %v", err, ErrNotThere)
	}
	if _, err := f.Sum(ctx, at); !errors.Is(err, ErrNotThere) {
		t.Errorf("sum of no file: error %v, want %v", err, ErrNotThere)
	}
	for i, want := range []bool{true, false, true} {
		if i == 2 {
			v.files[at] = "PICTURE"
		}
		written, err := f.Put(ctx, at, []byte("picture"), Digest([]byte("picture")))
		if err != nil || written != want || v.files[at] != "picture" {
			t.Errorf("%d: written %v, error %v, the volume has %q, want %v and %q", i, written, err, v.files[at], want, "picture")
		}
	}
	if n, err := f.Size(ctx, at); n != 7 || err != nil || v.puts != 2 {
		t.Errorf("size %d, error %v after %d writes, want 7 after 2", n, err, v.puts)
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}
