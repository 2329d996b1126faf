package artifacts

import (
	"errors"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/tracemig/tracemig/internal/mlflowdb"
)

// The expected paths are those that MLflow 3.17.2 reads: local_file_uri_to_path, parse_s3_compliant_uri, parse_gcs_uri, parse_wasbs_uri,
// _parse_abfss_uri and _get_trace_repo_from_uri.
func TestLocations(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("paths of Windows are others")
	}
	const azure = "c@a.blob.core.windows.net"
	for _, c := range []struct {
		destination, location string
		want                  place // zero for ErrElsewhere
	}{
		{"", "/srv/mlruns/1/traces/tr-1/artifacts", place{"file", "", "/srv/mlruns/1/traces/tr-1/artifacts"}},
		{"", "/srv/x/../mlruns", place{"file", "", "/srv/mlruns"}},
		{"", "/srv/a%20b%zz/?#", place{"file", "", "/srv/a b%zz/?#"}},
		{"", "file:///srv/a%20b%23/c#d", place{"file", "", "/srv/a b#/c"}},
		{"", "file:/srv/x", place{"file", "", "/srv/x"}},
		{"", "file://localhost/srv/x", place{"file", "", "/srv/x"}},
		{"", "FILE:///srv/x", place{"file", "", "/srv/x"}},
		{"", "file://fileserver/srv/x", place{}},
		{"", "file:mlruns/1", place{}},
		{"", "./mlruns/1", place{}},
		{"", "mlruns/1", place{}},
		{"", "", place{}},
		{"", `C:\mlruns\1`, place{}},
		{"", "s3://b/p/1/traces/tr-1/artifacts", place{"s3", "b", "p/1/traces/tr-1/artifacts"}},
		{"", "s3://b//p//1/%20x?y#z", place{"s3", "b", "/p//1/%20x"}},
		{"", "s3://b", place{"s3", "b", ""}},
		{"", "s3:/b/p", place{}},
		{"", "s3://id:secret@b/p", place{}},
		{"", "gs://b/p/", place{"gs", "b", "p"}},
		{"", "wasbs://" + azure + "/p%20q", place{"wasbs", azure, "p%20q"}},
		{"", "abfss://c@a.dfs.core.windows.net/%2Fp%20q", place{"abfss", "c@a.dfs.core.windows.net", "p q"}},
		{"", "dbfs:/databricks/mlflow", place{}},
		{"", "hdfs://h:1/p", place{}},
		{"", "models:/m/1", place{}},
		{"", "mlflow-artifacts:/1/traces", place{}},
		{"", "http://127.0.0.1:5000/api/2.0/mlflow-artifacts/artifacts/1/traces", place{}},

		{"/srv/d", "mlflow-artifacts:/1/traces/tr-1/artifacts", place{"file", "", "/srv/d/1/traces/tr-1/artifacts"}},
		{"/srv/d/", "mlflow-artifacts:///1/traces", place{"file", "", "/srv/d/1/traces"}},
		{"/srv/d", "mlflow-artifacts:1/traces", place{"file", "", "/srv/d/1/traces"}},
		{"/srv/d", "mlflow-artifacts://host:5000/1/traces", place{"file", "", "/srv/d/1/traces"}},
		{"/", "mlflow-artifacts:/workspaces/team/1/traces", place{"file", "", "/workspaces/team/1/traces"}},
		{"file:///srv/d", "mlflow-artifacts:/workspaces/team/1/traces", place{"file", "", "/srv/d/workspaces/team/1/traces"}},
		{"s3://b/p", "mlflow-artifacts:/1/traces", place{"s3", "b", "p/1/traces"}},
		{"s3://b", "mlflow-artifacts:/1/traces", place{"s3", "b", "1/traces"}},
		{"gs://b", "https://h/prefix/api/2.0/mlflow-artifacts/artifacts/1/traces", place{"gs", "b", "1/traces"}},
		{"gs://b", "https://h/other/1/traces", place{}},
		{"/srv/d", "mlflow-artifacts:/", place{}},
		{"/srv/d", "s3://b/p", place{"s3", "b", "p"}},
	} {
		s, err := New(Options{Destination: c.destination})
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.resolve(c.location)
		if got != c.want || c.want == (place{}) != errors.Is(err, mlflowdb.ErrElsewhere) {
			t.Errorf("%q with destination %q: %+v, %v; want %+v", c.location, c.destination, got, err, c.want)
		}
	}
}

// A trace's tags can't lead out of the destination: neither as they are written nor as MLflow decodes them.
func TestLocationsStayBelowTheDestination(t *testing.T) {
	for _, destination := range []string{"/srv/d", "s3://b/p"} {
		s, err := New(Options{Destination: destination})
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/../x", "/1/../../x", "/../d-other/x", "/..", "/1/.."} {
			at, err := s.resolve("mlflow-artifacts:" + path)
			if err == nil && !at.below(place{"file", "", "/srv/d"}) {
				t.Errorf("%s: %s is read as %v", destination, path, at)
			}
		}
		if at, err := s.resolve("mlflow-artifacts:/%2e%2e/x"); destination == "/srv/d" && err == nil {
			t.Errorf("a %%2e%%2e leads to %v", at)
		}
	}
}

func TestDestinations(t *testing.T) {
	s, err := New(Options{Destination: "./artifacts"})
	if want, _ := filepath.Abs("artifacts"); err != nil || filepath.FromSlash(s.opts.Destination) != want {
		t.Errorf("a relative folder is %q, %v; want %q", s.opts.Destination, err, want)
	}
	for _, bad := range []string{"dbfs:/x", "http://127.0.0.1:5000", "mlflow-artifacts:/", "s3:"} {
		if _, err := New(Options{Destination: bad}); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}
