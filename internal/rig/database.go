package rig

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// Engines are the databases that StartDatabase knows.
var Engines = []string{"postgresql", "mysql"}

// Database is an empty database of a test's own.
type Database struct {
	Owner  string // URI of a user who may do everything, for mlflow server
	Reader string // URI of a user who may only read
}

// databaseServer is a running server of one engine, or why there is none on this machine.
type databaseServer struct {
	process *Process
	missing string
	made    atomic.Int64
}

var databaseServers = map[string]func() (*databaseServer, error){
	"postgresql": sync.OnceValues(func() (*databaseServer, error) { return startDatabaseServer("postgresql") }),
	"mysql":      sync.OnceValues(func() (*databaseServer, error) { return startDatabaseServer("mysql") }),
}

// startDatabaseServer starts the server that all tests of the binary share. It ends with this process, if not with Main.
func startDatabaseServer(engine string) (*databaseServer, error) {
	found := filepath.Join(Dir(), "databases", engine)
	if missing, err := os.ReadFile(found + ".missing"); err == nil {
		return &databaseServer{missing: strings.TrimSpace(string(missing))}, nil
	}
	folder, err := os.ReadFile(found)
	if err != nil {
		return nil, fmt.Errorf("the test rig is not installed (%w). Run `make rig`", err)
	}
	cmd, err := command("venv", "database.py", "serve", engine, strings.TrimSpace(string(folder)))
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "tracemig-"+engine+"-log-")
	if err != nil {
		return nil, err
	}
	p, err := start(engine, dir, cmd)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	p.stopAtEnd(engine, dir)
	return &databaseServer{process: p}, nil
}

// StartDatabase makes a database on a server of the engine, postgresql or mysql (MariaDB), which all tests of the binary share. It
// skips the test where the engine can't be had on this machine.
func StartDatabase(t testing.TB, engine string) *Database {
	t.Helper()
	server, err := databaseServers[engine]()
	if err != nil {
		t.Fatal(err)
	}
	if server.missing != "" {
		t.Skipf("no %s on this machine: %s", engine, server.missing)
	}
	out, err := Command(t, "venv", "database.py", "create", server.process.URL, fmt.Sprintf("mlflow_%d", server.made.Add(1))).Output()
	if err != nil {
		t.Fatalf("%s: create a database: %v", engine, err)
	}
	uris := strings.Fields(string(out))
	return &Database{Owner: uris[0], Reader: uris[1]}
}
