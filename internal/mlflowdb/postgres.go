package mlflowdb

import (
	"database/sql"
	"errors"
	"net"
	"net/url"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/tracemig/tracemig/internal/fault"
)

var postgres = engine{
	name: "PostgreSQL", scheme: "postgresql", port: "5432", example: "postgresql://user@host:5432/mlflow", open: openPostgres,
	part: func(params url.Values) string {
		if o := params.Get("options"); o != "" { // such as -csearch_path=team
			return "?" + url.Values{"options": {o}}.Encode()
		}
		return ""
	},
	quotes: "\"", numbered: true, version: "SHOW server_version", snapshot: sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true},
	transient: postgresTransient, judge: judgePostgres, words: postgresWords,
}

// libpqOnly are parameters of libpq, which MLflow's driver is made of, that tune it and that pgx does not know. It would send them
// to the server as settings, which refuses them.
var libpqOnly = []string{
	"keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout", "gssencmode", "gsslib", "gssdelegation",
	"channel_binding", "require_auth", "sslcompression", "sslcrl", "sslcrldir", "requirepeer", "fallback_application_name",
	"load_balance_hosts", "async_fallback", "prepared_statement_cache_size", "prepare_threshold",
}

func openPostgres(a *Address, _ Options) (*sql.DB, error) {
	u := url.URL{Scheme: "postgres", Path: "/" + a.database}
	if a.host != "" || a.port != "" {
		u.Host = a.host
		if a.port != "" {
			u.Host = net.JoinHostPort(a.host, a.port)
		} else if ip := net.ParseIP(a.host); ip != nil && ip.To4() == nil {
			u.Host = "[" + a.host + "]"
		}
	}
	switch {
	case a.password != "":
		u.User = url.UserPassword(a.user, a.password)
	case a.user != "":
		u.User = url.User(a.user) // a password for it is looked for in PGPASSWORD and ~/.pgpass
	}
	params := url.Values{}
	for name, values := range a.params {
		if !slices.Contains(libpqOnly, name) {
			params[name] = values
		}
	}
	if params.Get("application_name") == "" {
		params.Set("application_name", "tracemig")
	}
	u.RawQuery = params.Encode()
	cfg, err := pgx.ParseConfig(u.String())
	if err != nil {
		return nil, &AddressError{"the parameters in the database's address, or the PG… variables of the environment, can't be meant so: " +
			innermost(err)}
	}
	// Poolers before the server, such as pgbouncer, need not know prepared statements.
	cfg.DefaultQueryExecMode = pgx.QueryExecModeExec
	return stdlib.OpenDB(*cfg), nil
}

func postgresCode(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// postgresTransient names lost connections, servers that start, stop or have no place, and transactions that the server has
// ended so that others could go on. The codes are those of PostgreSQL's appendix A.
func postgresTransient(err error) bool {
	code := postgresCode(err)
	if code == "" {
		return pgconn.Timeout(err) || pgconn.SafeToRetry(err) || lostConnection(err)
	}
	switch code {
	case "40001", "40P01", "53300", "55P03", "57P01", "57P02", "57P03", "25006":
		return true
	}
	return code[:2] == "08"
}

func judgePostgres(a *Address, err error) (next string, kind fault.Kind) {
	switch code := postgresCode(err); {
	case code == "":
		return "", ""
	case code[:2] == "28":
		return "Check the user and the password: in the address, PGPASSWORD or ~/.pgpass", fault.Credentials
	case code == "42501":
		return "Let the user read the tables: GRANT SELECT ON ALL TABLES IN SCHEMA public TO the user", fault.Permission
	case code == "3D000":
		return "Check the name of the database in the address, " + a.String(), fault.NotFound
	case code == "53300":
		return "The server has no connection left: raise its limit, or run again later", ""
	}
	return "", ""
}

// postgresWords are what the server says, else the last of what the driver tried.
func postgresWords(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Message + " (SQLSTATE " + e.Code + ")"
	}
	return innermost(err)
}
