package mlflowdb

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/fault"
)

var sqlite = engine{
	name: "SQLite", file: true, scheme: "sqlite", example: "sqlite:///mlflow.db", part: noPart, open: openSQLite,
	// Without it SQLite walks over the traces of all experiments, in a file that ANALYZE was run on.
	hint: " INDEXED BY %s", hasIndex: "SELECT count(*) FROM sqlite_master WHERE type = 'index' AND tbl_name = 'trace_info' AND name = ?",
	quotes: "\"", version: "SELECT sqlite_version()", transient: sqliteTransient, judge: judgeSQLite, words: innermost,
}

// sqliteOptions open the file for reading alone. A writer that commits is waited for, as MLflow's own connections wait.
const sqliteOptions = "?mode=ro&_pragma=busy_timeout(20000)&_pragma=query_only(1)"

func openSQLite(a *Address, _ Options) (*sql.DB, error) {
	if info, err := os.Stat(a.database); err != nil {
		return nil, advice.With(fmt.Errorf("%s can't be opened: %w", a, err), "Check the path in the address: behind sqlite:/// it is relative, "+
			"behind sqlite://// absolute")
	} else if info.IsDir() {
		err := fault.With(fmt.Errorf("%s is a folder", a), fault.Usage)
		return nil, advice.With(err, "Name the file of the database in it, such as mlflow.db")
	}
	// In an SQLite URI the characters ?, # and % have a meaning.
	path := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(filepath.ToSlash(a.database))
	return sql.Open("sqlite", "file:"+path+sqliteOptions)
}

func sqliteCode(err error) int {
	if e, ok := errors.AsType[*driver.Error](err); ok {
		return e.Code() & 0xff // the low byte is the primary code
	}
	return 0
}

// sqliteTransient names busy files, and the moment at which a migration of the store changes its tables.
func sqliteTransient(err error) bool {
	switch sqliteCode(err) {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_SCHEMA, sqlite3.SQLITE_PROTOCOL:
		return true
	}
	return false
}

func judgeSQLite(_ *Address, err error) (next string, kind fault.Kind) {
	switch sqliteCode(err) {
	case sqlite3.SQLITE_NOTADB:
		return "Name the file that mlflow server --backend-store-uri names", fault.Usage
	case sqlite3.SQLITE_CORRUPT:
		return "The file is damaged: restore it, or look at it with the command sqlite3 and its .recover", ""
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return "A writer holds the file for long: run again when it has ended", ""
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		return "Reading needs the right to read the file and, where it is in WAL mode, to write in its folder: run as the user of the server, " +
			"or on a copy that sqlite3 mlflow.db \".backup copy.db\" makes", fault.Permission
	}
	return "", ""
}
