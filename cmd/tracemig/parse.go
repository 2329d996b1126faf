package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/tracemig/tracemig/internal/artifacts"
	"github.com/tracemig/tracemig/internal/databricks"
	"github.com/tracemig/tracemig/internal/deltalake"
	"github.com/tracemig/tracemig/internal/mlflowclient"
	"github.com/tracemig/tracemig/internal/mlflowdb"
	"github.com/tracemig/tracemig/internal/uctables"
)

// checkTarget refuses what can't be a target, before any server is asked for it.
func checkTarget(ref string) error {
	if path, ok := strings.CutPrefix(ref, "file:"); ok {
		if rest, authority := strings.CutPrefix(path, "//"); authority && !strings.HasPrefix(rest, "/") {
			return usageError("--target %q names a host, as file:// does; write file:./%s", ref, rest)
		}
		_, err := deltalake.Open(path, deltalake.Options{})
		switch {
		case err == nil:
			return nil
		case path == "":
			return usageError("--target %q names no folder and no prefix for its tables; write file:FOLDER/PREFIX, such as file:./lake/agent", ref)
		case errors.Is(err, deltalake.ErrNoPrefix):
			return usageError("--target %q names a folder and no prefix for its tables; write file:FOLDER/PREFIX, such as file:%s/agent", ref,
				strings.TrimRight(path, "/"))
		}
		return usageError("--target %v", err)
	}
	if scheme.MatchString(ref) {
		return usageError("--target %q: tables can't be written there; write catalog.schema.prefix, an experiment, or file:FOLDER/PREFIX",
			withoutPassword(ref))
	}
	if path, ok := folder(ref); ok {
		return usageError("--target %q looks like a folder: write file:%s", ref, path)
	}
	if databricks.IsExperiment(ref) {
		return nil
	}
	if _, err := uctables.ParseLocation(ref); err != nil {
		return usageError("--%v", err)
	}
	return nil
}

// errNoLocation is the error of commands that take no tables on this machine.
var errNoLocation = usageError("--target is missing; write catalog.schema.prefix, or an experiment that is bound to such a location")

// checkCheckpoint refuses a folder in the place of a checkpoint's file.
func checkCheckpoint(path string) error {
	if !isDir(path) {
		return nil
	}
	file := filepath.Join(path, "checkpoint.db")
	if found, _ := filepath.Glob(filepath.Join(path, "*.db")); len(found) > 0 {
		file = found[0]
	}
	return usageError("--checkpoint %q is a folder; name the file in it, such as %s", path, file)
}

var scheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]+:/`)

// folder says whether ref more likely means a folder on this machine than something in a workspace, and how to write it
// behind file:.
func folder(ref string) (path string, ok bool) {
	if strings.HasPrefix(ref, "/") {
		path, ok = ref, absoluteFolder(ref)
	} else {
		path, ok = relativeFolder(ref)
	}
	if ok && (isDir(ref) || strings.HasSuffix(ref, "/")) {
		path = strings.TrimRight(path, "/") + "/agent" // the prefix of the tables is still to be chosen
	}
	return path, ok
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// absoluteFolder says whether an absolute path is one of this machine. Those of a workspace are absolute too. A path whose
// parent is a folder here is taken for one of this machine, unless it is where Databricks mounts a workspace.
func absoluteFolder(ref string) bool {
	parent := filepath.Dir(filepath.Clean(ref))
	return parent != "/" && !strings.HasPrefix(ref, "/Workspace/") && isDir(parent)
}

// relativeFolder says whether ref is a relative path, and writes it so that it can't be taken for a name.
func relativeFolder(ref string) (path string, ok bool) {
	ok = strings.ContainsAny(ref, `/\`) || ref == "." || ref == ".." || !strings.Contains(ref, ".") && isDir(ref)
	if ok && !strings.HasPrefix(ref, ".") && !strings.HasPrefix(ref, "~") && filepath.VolumeName(ref) == "" {
		return "./" + ref, true
	}
	return ref, ok
}

// checkURI refuses what can't be a tracking URI, and flags that don't go with it, before any server is asked. The error does not
// repeat the URI, which may hold a password.
func (o *pairOptions) checkURI(a *app) error {
	conn := o.connector(a, nil)
	if conn.inDatabricks() {
		if _, _, err := conn.betaTables(o.source); err != nil {
			return err
		}
		return o.checkWays(conn)
	}
	named, what := "--tracking-uri", "an MLflow server"
	if o.trackingURI == "" {
		named = "MLFLOW_TRACKING_URI"
	}
	if conn.inDatabase() {
		what = "a database"
	}
	if o.sourceProfile != "" {
		return usageError("--source-profile is for a source in Databricks, and %s names %s; leave one of them out", named, what)
	}
	if err := checkAddress(named, conn.trackingURI, o.insecureHTTP); err != nil {
		return err
	}
	return o.checkWays(conn)
}

// checkAddress refuses what can't be the address of a server or a database.
func checkAddress(named, uri string, insecureHTTP bool) error {
	if mlflowdb.Names(uri) {
		if _, err := mlflowdb.ParseAddress(uri); err != nil {
			return usageError("%s: %v", named, err)
		}
		return nil
	}
	c, err := mlflowclient.NewServer(uri, mlflowclient.ServerCredentials{}, mlflowclient.Options{InsecureHTTP: insecureHTTP})
	if err != nil {
		return usageError("%s: %v", named, err)
	}
	c.Close()
	return nil
}

// checkWays refuses flags that don't go with the source.
func (o *pairOptions) checkWays(conn *connector) error {
	if err := o.checkVerifyFrom(conn); err != nil {
		return err
	}
	database := conn.inDatabase() || mlflowdb.Names(o.verifyFrom)
	if _, err := artifacts.New(artifacts.Options{Destination: o.artifacts}); err != nil {
		return usageError("--artifacts-destination: %v", err)
	}
	switch {
	case o.server != "" && !database:
		return usageError("--server is the MLflow server before a database, and the source is none; name the server with --tracking-uri")
	case o.artifacts != "" && !database:
		return usageError("--artifacts-destination says where files of traces in a database lie, and the source is none; leave it out: " +
			"a server reads them by itself")
	case mlflowdb.Names(o.server):
		return usageError("--server names a database; name that with --tracking-uri, and the MLflow server before it here")
	case o.server != "":
		return checkAddress("--server", o.server, o.insecureHTTP)
	case conn.inDatabase() && o.insecureHTTP && (o.verifyFrom == "" || mlflowdb.Names(o.verifyFrom)):
		return errInsecureDatabase
	}
	return nil
}

var errInsecureDatabase = usageError("--insecure-http is for MLflow servers, and the source is a database; leave it out, or name its " +
	"server with --server")

// checkVerifyFrom refuses what can't be another way to the source.
func (o *pairOptions) checkVerifyFrom(conn *connector) error {
	if o.verifyFrom == "" {
		return nil
	}
	if _, ok := mlflowclient.DatabricksURI(o.verifyFrom); ok || conn.inDatabricks() {
		return usageError("--verify-from is another way to what an MLflow server has, by its database or through it; " +
			"there is none to a Databricks workspace")
	}
	return checkAddress("--verify-from", o.verifyFrom, o.insecureHTTP)
}

// checkRead refuses --read where there is no choice.
func (o *runOptions) checkRead(a *app) error {
	if o.read != mlflowclient.Fast {
		return nil
	}
	switch conn := o.connector(a, nil); {
	case conn.inDatabricks():
		return usageError("--read fast is for MLflow servers, which --tracking-uri names: a Databricks workspace hands out spans in one way")
	case conn.inDatabase():
		return usageError("--read fast is for MLflow servers: a database has spans as they are stored, and there is no faster way to them")
	}
	return nil
}

// checkRates refuses limits of requests where none are sent.
func (o *runOptions) checkRates(a *app) error {
	if conn := o.connector(a, nil); (o.searchRate > 0 || o.downloadRate > 0) && conn.inDatabase() && o.server == "" {
		return usageError("--search-rate and --download-rate are for requests to a server, and the source is a database; leave them out")
	}
	return nil
}

// checkSourceName refuses what would be mistaken for something else where the name of a source stands. The error does not repeat it.
func checkSourceName(name string) error {
	u, err := url.Parse(name)
	switch {
	case name == "":
		return nil
	case strings.TrimSpace(name) == "":
		return usageError("--source-name is blank")
	case strings.ContainsFunc(name, unicode.IsControl):
		return usageError("--source-name holds a control character")
	case strings.Contains(name, "#"):
		return usageError("--source-name holds a #, behind which checkpoints and tables have the ID of the experiment")
	case strings.Contains(name, "://") && strings.Contains(name, "@") && (err != nil || u.User != nil || mlflowdb.Names(name)):
		return usageError("--source-name holds a user or a password, and stands in checkpoints and tables; leave them out")
	}
	return nil
}

// checkHost refuses what can't be the address of a workspace.
func checkHost(host string) error {
	if host == "" {
		return nil
	}
	address := host
	if !strings.Contains(address, "://") {
		address = "https://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" {
		return usageError("--host is no address of a workspace; give one such as https://adb-123.azuredatabricks.net")
	}
	return nil
}

// byteSize is a flag for a number of bytes with a unit.
type byteSize int64

var units = map[string]int64{
	"": 1, "b": 1,
	"kb": 1e3, "mb": 1e6, "gb": 1e9,
	"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30,
}

// Set reads 67108864, 64MiB, 64m, 64MB or 0.5GiB.
func (s *byteSize) Set(text string) error {
	at := strings.IndexFunc(text, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if at < 0 {
		at = len(text)
	}
	unit, ok := units[strings.ToLower(strings.TrimSpace(text[at:]))]
	n, err := strconv.ParseFloat(text[:at], 64)
	if n *= float64(unit); err != nil || !ok || n >= 1<<62 {
		return fmt.Errorf("%q is no size; write one such as 64MiB, 64MB or 0.5GiB", text)
	}
	*s = byteSize(n)
	return nil
}

// String writes the size in the largest unit in which it is a whole number.
func (s *byteSize) String() string {
	for _, unit := range []string{"GiB", "MiB", "KiB"} {
		if n := units[strings.ToLower(unit)]; int64(*s) >= n && int64(*s)%n == 0 {
			return strconv.FormatInt(int64(*s)/n, 10) + unit
		}
	}
	return strconv.FormatInt(int64(*s), 10)
}

// Type is the name of the value in help.
func (s *byteSize) Type() string { return "size" }

// rate is a flag's number of requests a second; 0 where the flag is not given.
type rate float64

// Set reads a number above 0.
func (r *rate) Set(text string) error {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n > 0) { // so NaN is refused too
		return fmt.Errorf("%q is no number above 0", text)
	}
	*r = rate(n)
	return nil
}

func (r *rate) String() string { return strconv.FormatFloat(float64(*r), 'g', -1, 64) }

// Type is the name of the value in help.
func (r *rate) Type() string { return "float" }

// duration is a flag for a length of time, in Go's form or in seconds.
type duration time.Duration

// Set reads 90s, 10m, 1h30m or 600.
func (d *duration) Set(text string) error {
	parsed, err := time.ParseDuration(text)
	if seconds, serr := strconv.ParseFloat(text, 64); serr == nil {
		parsed, err = time.Duration(seconds*float64(time.Second)), nil
		if seconds < -1e9 || seconds > 1e9 || seconds != seconds {
			err = strconv.ErrRange
		}
	}
	if err != nil {
		return fmt.Errorf("%q is no length of time; write one such as 90s, 10m or 1h30m, or a number of seconds", text)
	}
	*d = duration(parsed)
	return nil
}

// String writes the duration without units that are 0, as 1h or 1h30m.
func (d *duration) String() string {
	if *d == 0 {
		return "0" // help does not show it as a default
	}
	text := time.Duration(*d).String() // such as 1h0m0s
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// Type is the name of the value in help.
func (d *duration) Type() string { return "duration" }
