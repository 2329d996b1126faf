package artifacts

import (
	"cmp"
	"net/url"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/fault"
	"github.com/tracemig/tracemig/internal/mlflowdb"
)

// place is where files lie: a folder, or a bucket and what the keys of its objects begin with.
type place struct {
	scheme string // "file", or that of an object store
	host   string // the bucket, in Azure <container>@<account>.<domain>; empty for a folder
	path   string // with slashes: of a folder absolute, in a bucket what MLflow joins with the path of a file
}

// root is the place without its path, as people know it.
func (p place) root() string {
	if p.scheme == "file" {
		return "the folders of this machine"
	}
	return p.scheme + "://" + p.host
}

func (p place) String() string {
	if p.scheme == "file" {
		return filepath.FromSlash(p.path)
	}
	return strings.TrimSuffix(p.root()+"/"+p.path, "/")
}

// child is the address of a file below the place.
func (p place) child(name string) string {
	p.path = join(p.path, name)
	return p.String()
}

// join makes the key of an object as posixpath.join does, which leaves double slashes.
func join(folder, name string) string {
	if folder == "" {
		return name
	}
	return folder + "/" + name
}

// around is the folder that holds the folders of traces, if this is that of one.
func (p place) around() place {
	if at, ok := strings.CutSuffix(p.path, "/artifacts"); ok { // MLflow's own form is …/<experiment>/traces/<trace>/artifacts.
		p.path = at
	}
	at := strings.LastIndexByte(p.path, '/')
	p.path = strings.TrimRight(p.path[:max(at, 0)], "/")
	if p.path == "" && p.scheme == "file" {
		p.path = "/"
	}
	return p
}

// scheme is how mlflow.utils.uri finds a location's: by Python's urlparse.
var scheme = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]*):(.*)$`)

// split parts a URI as urlparse does: a question mark and a hash sign end the path, and nothing is decoded.
func split(location string) (name, host, rest string) {
	m := scheme.FindStringSubmatch(location)
	if m == nil || runtime.GOOS == "windows" && len(m[1]) == 1 {
		return "", "", location
	}
	rest = m[2]
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i]
	}
	if authority, ok := strings.CutPrefix(rest, "//"); ok {
		host, rest, ok = strings.Cut(authority, "/")
		if ok {
			rest = "/" + rest
		}
	}
	return strings.ToLower(m[1]), host, rest
}

// servedBy is what the path of an address has before a file that an MLflow server serves.
const servedBy = "/api/2.0/mlflow-artifacts/artifacts/"

// resolve reads the location of a trace's files.
func (s *Store) resolve(location string) (place, error) {
	name, _, rest := split(location)
	switch name {
	case "mlflow-artifacts":
	case "http", "https": // How old servers wrote it. Like MLflow, this takes the server for the one that is migrated.
		_, below, ok := strings.Cut(rest, servedBy)
		if !ok {
			return place{}, mlflowdb.ErrElsewhere
		}
		rest = below
	default:
		return read(location)
	}
	rest = strings.TrimLeft(rest, "/")
	if s.opts.Destination == "" || rest == "" {
		return place{}, mlflowdb.ErrElsewhere
	}
	within, err := read(s.opts.Destination)
	if err != nil {
		return place{}, err
	}
	at, err := read(strings.TrimSuffix(s.opts.Destination, "/") + "/" + rest)
	if err == nil && !at.below(within) {
		return place{}, &Error{Problem: "the location " + clean(location) + " leads out of the artifacts' destination",
			next: "look at the trace's tags"}
	}
	return at, err
}

// below says whether p is a part of folder.
func (p place) below(folder place) bool {
	if strings.Contains("/"+p.path+"/", "/../") || p.scheme != folder.scheme || p.host != folder.host {
		return false
	}
	return folder.path == "" || strings.HasPrefix(p.path, strings.TrimSuffix(folder.path, "/")+"/")
}

// read reads a location that names a folder or an object store itself.
func read(location string) (place, error) {
	name, host, rest := split(location)
	switch name {
	case "", "file":
		return folder(host, rest)
	case "abfss":
		rest = strings.TrimLeft(unquote(rest), "/")
	case "s3", "gs", "wasbs":
	default:
		return place{}, mlflowdb.ErrElsewhere
	}
	if host == "" || name[0] != 'w' && name[0] != 'a' && strings.Contains(host, "@") { // Credentials have no place there.
		return place{}, mlflowdb.ErrElsewhere
	}
	return place{name, host, strings.TrimSuffix(strings.TrimPrefix(rest, "/"), "/")}, nil
}

// folder reads the path of a folder, in which MLflow takes %xx for a character even where it is no URI. A path that is not absolute
// is one of the server's process, and means nothing here.
func folder(host, rest string) (place, error) {
	if host != "" && host != "." && !strings.HasPrefix(host, "localhost") && !strings.HasPrefix(host, "127.0.0.1") {
		return place{}, mlflowdb.ErrElsewhere
	}
	at := unquote(rest)
	if runtime.GOOS == "windows" && drive.MatchString(at) {
		at = at[1:]
	}
	if !filepath.IsAbs(filepath.FromSlash(at)) {
		return place{}, mlflowdb.ErrElsewhere
	}
	return place{scheme: "file", path: filepath.ToSlash(filepath.Clean(filepath.FromSlash(at)))}, nil
}

var (
	drive   = regexp.MustCompile(`^/[A-Za-z]:`)
	escape  = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)
	queries = regexp.MustCompile(`(https?://[^\s"?]*)\?[^\s"]*`)
)

// unquote decodes every %xx. Unlike url.PathUnescape, it leaves a percent sign that begins none.
func unquote(s string) string {
	return escape.ReplaceAllStringFunc(s, func(code string) string {
		c, err := url.PathUnescape(code)
		if err != nil {
			return code
		}
		return c
	})
}

// absolute checks a destination that a user gave, and makes the path of a folder absolute.
func absolute(destination string) (string, error) {
	name, _, rest := split(destination)
	switch name {
	case "", "file":
		if abs, err := filepath.Abs(rest); err == nil && !strings.HasPrefix(rest, "/") {
			destination = filepath.ToSlash(abs)
		}
	}
	if _, err := read(destination); err != nil {
		return "", fault.With(advice.With(&destinationError{name},
			"give a folder, or a location that begins with s3://, gs://, wasbs:// or abfss://"), fault.Usage)
	}
	return destination, nil
}

// destinationError does not repeat the destination, which may hold a password.
type destinationError struct{ scheme string }

func (e *destinationError) Error() string {
	return "the artifacts' destination is of a kind that tracemig does not read (" + cmp.Or(clean(e.scheme), "no scheme") + ")"
}
