package mlflowdb

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tracemig/tracemig/internal/fault"
)

// Address is the address of a database, in the form that mlflow server --backend-store-uri takes, which is SQLAlchemy's:
// dialect+driver://user:password@host:port/database?parameters. Its password is in no text that the methods return.
type Address struct {
	engine   *engine
	user     string
	password string
	host     string // a name or an IP address without brackets; empty for the default
	port     string
	database string     // of SQLite the path of the file, absolute
	params   url.Values // of the driver
}

// AddressError says that a URI names a database that can't be read, and what to give instead. Its text holds no password.
type AddressError struct{ Text string }

func (e *AddressError) Error() string { return e.Text }

// Fault says that the address is wrong.
func (e *AddressError) Fault() fault.Kind { return fault.Usage }

// Names says whether a tracking URI names a database: whether its scheme is one of SQLAlchemy's dialects that MLflow takes.
func Names(uri string) bool {
	dialect, _, ok := dialectOf(uri)
	return ok && slices.Contains([]string{"sqlite", "postgresql", "postgres", "mysql", "mssql"}, dialect)
}

// dialectOf is the dialect of a URI, in small letters and without its driver, and what follows the scheme.
func dialectOf(uri string) (dialect, rest string, ok bool) {
	scheme, rest, ok := strings.Cut(uri, "://")
	dialect, _, _ = strings.Cut(strings.ToLower(scheme), "+")
	return dialect, rest, ok
}

// ParseAddress reads the address of a database. Its error is an *AddressError.
func ParseAddress(uri string) (*Address, error) {
	dialect, rest, _ := dialectOf(uri)
	rest, query, _ := strings.Cut(rest, "?")
	params, err := url.ParseQuery(query)
	if err != nil {
		return nil, &AddressError{"the parameters of the database's address, behind its question mark, can't be read; " +
			"write them as name=value, with & between them and other special characters as %xx"}
	}
	switch dialect {
	case "sqlite":
		return sqliteAddress(rest)
	case "postgresql", "postgres":
		return serverAddress(&postgres, rest, params)
	case "mysql":
		return serverAddress(&mysql, rest, params)
	}
	return nil, &AddressError{fmt.Sprintf("the database is one of %s, which tracemig does not read; it reads SQLite, PostgreSQL and MySQL. "+
		"Give the address of the MLflow server that stands before it, such as http://127.0.0.1:5000", dialect)}
}

// sqliteAddress reads what follows sqlite://. Three slashes are followed by a relative path, four begin an absolute one.
func sqliteAddress(rest string) (*Address, error) {
	path, ok := strings.CutPrefix(rest, "/")
	switch {
	case !ok && rest != "":
		return nil, &AddressError{"the address of an SQLite file has three slashes before a relative path and four with an absolute one; " +
			"write sqlite:///mlflow.db or sqlite:////data/mlflow.db"}
	case path == "" || path == ":memory:":
		return nil, &AddressError{"the address names an SQLite database in memory, which only the process that has it can read; " +
			"give the path of a file, such as sqlite:///mlflow.db"}
	case strings.HasPrefix(path, "file:"):
		return nil, &AddressError{"the address names an SQLite file by a URI of its own; give its path, such as sqlite:////data/mlflow.db"}
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, &AddressError{"the path of the SQLite file can't be made absolute: " + err.Error()}
	}
	return &Address{engine: &sqlite, database: abs}, nil
}

// serverAddress reads what follows the scheme of an engine that has a server.
func serverAddress(e *engine, rest string, params url.Values) (*Address, error) {
	a := &Address{engine: e, params: params}
	authority, database, _ := strings.Cut(rest, "/")
	// As SQLAlchemy reads it, a password may hold a slash and no at sign.
	if account, at, ok := strings.Cut(rest, "@"); ok {
		authority, database, _ = strings.Cut(at, "/")
		user, password, _ := strings.Cut(account, ":")
		var uerr, perr error
		a.user, uerr = url.PathUnescape(user)
		a.password, perr = url.PathUnescape(password)
		if errors.Join(uerr, perr) != nil {
			return nil, &AddressError{"the user or the password in the database's address has a % that begins no %xx; write it as %25"}
		}
	}
	var err error
	if a.database, err = url.PathUnescape(database); err != nil || a.database == "" {
		return nil, &AddressError{"the address names no database; write " + e.example}
	}
	a.host = authority
	if i := strings.LastIndexByte(authority, ':'); i >= 0 && !strings.HasSuffix(authority, "]") {
		a.host, a.port = authority[:i], authority[i+1:]
	}
	if a.host = strings.Trim(a.host, "[]"); strings.Trim(a.port, "0123456789") != "" || strings.ContainsAny(a.host, "@ ") {
		return nil, &AddressError{"the host or the port in the database's address can't be read. A password with an @ or a % must be written " +
			"with %40 and %25; write " + e.example}
	}
	return a, nil
}

// Engine is the name of the engine, for people.
func (a *Address) Engine() string { return a.engine.name }

// String is the same text for every address of one database, without user, password and parameters of the connection.
func (a *Address) String() string {
	if a.engine.file {
		return "sqlite:///" + filepath.ToSlash(a.database)
	}
	host := strings.ToLower(a.host)
	if socket := a.socket(); host == "" && socket != "" {
		return a.engine.scheme + "://" + url.PathEscape(socket) + "/" + url.PathEscape(a.database)
	}
	if host == "" {
		host = "localhost"
	}
	port := a.port
	if port == "" {
		port = a.engine.port
	}
	return a.engine.scheme + "://" + net.JoinHostPort(host, port) + "/" + url.PathEscape(a.database) + a.engine.part(a.params)
}

// socket is the path of the socket that the parameters name in place of a host, or "".
func (a *Address) socket() string {
	for _, name := range []string{"host", "unix_socket"} {
		if p := a.params.Get(name); strings.HasPrefix(p, "/") {
			return p
		}
	}
	return ""
}
