package mlflowdb

import (
	"errors"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tracemig/tracemig/internal/fault"
)

func TestAddresses(t *testing.T) {
	here, err := filepath.Abs("mlflow.db")
	if err != nil {
		t.Fatal(err)
	}
	for uri, want := range map[string]struct{ identity, user, password string }{
		"sqlite:///mlflow.db":                           {"sqlite:///" + filepath.ToSlash(here), "", ""},
		"sqlite:////data/mlflow.db":                     {"sqlite:////data/mlflow.db", "", ""},
		"sqlite+pysqlite:////data/a%20b.db?timeout=60":  {"sqlite:////data/a%20b.db", "", ""}, // SQLAlchemy takes the path as it is
		"postgresql://h/mlflow":                         {"postgresql://h:5432/mlflow", "", ""},
		"postgres://H:5432/mlflow":                      {"postgresql://h:5432/mlflow", "", ""},
		"postgresql+psycopg2://u:p@h:6543/mlflow":       {"postgresql://h:6543/mlflow", "u", "p"},
		"PostgreSQL+asyncpg://u@h/mlflow?sslmode=x":     {"postgresql://h:5432/mlflow", "u", ""},
		"postgresql://u:p%40ss%2Fw%3Ard@h/mlflow":       {"postgresql://h:5432/mlflow", "u", "p@ss/w:rd"},
		"postgresql://u:p/w:d@h/mlflow":                 {"postgresql://h:5432/mlflow", "u", "p/w:d"},
		"postgresql://u:p@[::1]:5432/mlflow":            {"postgresql://[::1]:5432/mlflow", "u", "p"},
		"postgresql://u:p@[::1]/mlflow":                 {"postgresql://[::1]:5432/mlflow", "u", "p"},
		"postgresql:///mlflow":                          {"postgresql://localhost:5432/mlflow", "", ""},
		"postgresql:///mlflow?host=/var/run/postgresql": {"postgresql://%2Fvar%2Frun%2Fpostgresql/mlflow", "", ""},
		"postgresql://h/mlflow?options=-csearch_path=a": {"postgresql://h:5432/mlflow?options=-csearch_path%3Da", "", ""},
		"mysql://u:p@h/mlflow":                          {"mysql://h:3306/mlflow", "u", "p"},
		"mysql+pymysql://u:p@h:3307/ml%20flow?charset=": {"mysql://h:3307/ml%20flow", "u", "p"},
		"mysql+mysqldb:///m?unix_socket=/run/mysqld.s":  {"mysql://%2Frun%2Fmysqld.s/m", "", ""},
	} {
		if !Names(uri) {
			t.Errorf("%s names no database", uri)
		}
		a, err := ParseAddress(uri)
		if err != nil {
			t.Errorf("%s: %v", uri, err)
			continue
		}
		if a.String() != want.identity || a.user != want.user || a.password != want.password {
			t.Errorf("%s: identity %s, user %q, password %q; want %+v", uri, a, a.user, a.password, want)
		}
		if again, err := ParseAddress(a.String()); err == nil && !a.engine.file && again.host != "" && !strings.HasPrefix(again.host, "%2F") &&
			again.String() != a.String() {
			t.Errorf("%s: its identity is that of %s", a, again)
		}
	}
}

func TestAddressesRefused(t *testing.T) {
	const secret = "s3cr3t"
	for uri, want := range map[string]string{
		"sqlite://":                                "in memory",
		"sqlite:///:memory:":                       "in memory",
		"sqlite://mlflow.db":                       "three slashes",
		"sqlite:///file:m.db?mode=ro&uri=true":     "a URI of its own",
		"postgresql://u:" + secret + "@h":          "names no database",
		"postgresql://u:" + secret + "@h/":         "names no database",
		"postgresql://u:a@" + secret + "@h/mlflow": "%40",
		"postgresql://u:" + secret + "%@h/mlflow":  "%25",
		"postgresql://u:" + secret + "@h:x/mlflow": "host or the port",
		"mysql://u:" + secret + "@h/m?a=%zz":       "parameters",
		"mssql+pyodbc://u:" + secret + "@h/m":      "mssql",
	} {
		a, err := ParseAddress(uri)
		e, ok := errors.AsType[*AddressError](err)
		if !ok || !strings.Contains(err.Error(), want) || fault.Of(err) != fault.Usage {
			t.Errorf("%s: %v, %v; want an AddressError with %q", uri, a, err, want)
			continue
		}
		if strings.Contains(e.Text, secret) {
			t.Errorf("%s: the password is in %q", uri, e.Text)
		}
	}
	for _, uri := range []string{"", "http://h", "databricks", "databricks://p", "file:///m.db", "/m.db", "m.db", "sqlitex:///a"} {
		if Names(uri) {
			t.Errorf("%q is taken for a database", uri)
		}
	}
}

// FuzzAddress looks for passwords in what is told of an address.
func FuzzAddress(f *testing.F) {
	f.Add("postgresql+psycopg2", "user", "h:1/m", "sslmode=require")
	f.Add("mysql", "u%", "[::1]:3/m%", "a=%zz&unix_socket=/x")
	f.Fuzz(func(t *testing.T, scheme, user, rest, query string) {
		const secret = "7sekret7"
		if strings.Contains(scheme+user+rest+query, secret) {
			t.Skip()
		}
		uri := scheme + "://" + user + ":" + url.QueryEscape(secret) + "@" + rest + "?" + query
		if !Names(uri) || strings.HasPrefix(strings.ToLower(scheme), "sqlite") {
			t.Skip() // paths have no password
		}
		a, err := ParseAddress(uri)
		if err != nil {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%s: %v", uri, err)
			}
			return
		}
		if strings.Contains(a.String(), secret) {
			t.Errorf("%s: %s", uri, a)
		}
	})
}
