package databricks

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tracemig/tracemig/internal/retry"
)

func newTestFiles(t *testing.T, waiting func(error, time.Duration), routes map[string]http.HandlerFunc) *Files {
	t.Helper()
	policy := retry.Policy{Initial: time.Millisecond, Max: time.Millisecond, Budget: time.Minute}
	f, err := NewFiles(configFor(workspace(t, routes)), policy, waiting)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { http.DefaultTransport.(*http.Transport).CloseIdleConnections() })
	return f
}

func TestFiles(t *testing.T) {
	const at = "/Volumes/c/s/v/tracemig/a"
	var puts []string
	waits := 0
	f := newTestFiles(t, func(error, time.Duration) { waits++ }, map[string]http.HandlerFunc{
		"PUT /api/2.0/fs/files" + at + "/0": func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			puts = append(puts, r.URL.RawQuery+" "+string(body))
			if len(puts) == 1 {
				answer(500, `{"error_code":"INTERNAL_ERROR","message":"later"}`)(w, r)
				return
			}
			w.WriteHeader(http.StatusNoContent)
		},
		"GET /api/2.0/fs/directories" + at: func(w http.ResponseWriter, r *http.Request) {
			page := `{"contents":[{"name":"0","path":"` + at + `/0","file_size":3,"last_modified":5}],"next_page_token":"x y"}`
			if r.URL.Query().Get("page_token") == "x y" {
				page = `{"contents":[{"name":"b","path":"` + at + `/b","is_directory":true}]}`
			}
			answer(200, page)(w, r)
		},
		"DELETE /api/2.0/fs/files" + at + "/0":     answer(404, `{"error_code":"NOT_FOUND","message":"no"}`),
		"DELETE /api/2.0/fs/files" + at + "/1":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"DELETE /api/2.0/fs/directories" + at:      answer(404, `{"error_code":"NOT_FOUND","message":"no"}`),
		"DELETE /api/2.0/fs/files" + at + "x/0":    answer(403, `{"error_code":"PERMISSION_DENIED","message":"no"}`),
		"GET /api/2.1/unity-catalog/volumes/a":     answer(200, `{"full_name":"a"}`),
		"GET /api/2.1/unity-catalog/volumes/b":     answer(404, `{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"no"}`),
		"GET /api/2.1/unity-catalog/volumes/c":     answer(403, `{"error_code":"PERMISSION_DENIED","message":"no"}`),
		"GET /api/2.1/unity-catalog/volumes/d.d.d": answer(200, `{}`),
		"POST /api/2.1/unity-catalog/volumes":      answer(409, `{"error_code":"RESOURCE_ALREADY_EXISTS","message":"there"}`),
	})
	ctx := t.Context()
	if err := f.Put(ctx, at+"/0", []byte("abc")); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"overwrite=true abc", "overwrite=true abc"}, puts); diff != "" || waits != 1 {
		t.Errorf("%d waits, want 1 (-want +got):\n%s", waits, diff)
	}
	got, err := f.List(ctx, at)
	if diff := cmp.Diff([]Entry{{Name: "0", ModifiedMs: 5}, {Name: "b", Folder: true}}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if err := f.Remove(ctx, at, "0", "1"); err != nil {
		t.Error(err)
	}
	if err := f.Remove(ctx, at+"x", "0"); !errors.Is(err, ErrNoRight) {
		t.Errorf("error %v, want %v", err, ErrNoRight)
	}
	for name, want := range map[string]bool{"a": true, "b": false} {
		if there, err := f.HasVolume(ctx, name); there != want || err != nil {
			t.Errorf("%s: %t, error %v; want %t", name, there, err, want)
		}
	}
	if _, err := f.HasVolume(ctx, "c"); !errors.Is(err, ErrNoRight) {
		t.Errorf("error %v, want %v", err, ErrNoRight)
	}
	if err := f.CreateVolume(ctx, "d", "d", "d"); err != nil {
		t.Errorf("made by another run: error %v, want none", err)
	}
	if err := f.CreateVolume(ctx, "a", "b", "missing"); err == nil {
		t.Error("a volume that can't be made: no error, want one")
	}
}
