package mlflowdb

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"github.com/tracemig/tracemig/internal/fault"
)

var mysql = engine{
	name: "MySQL", scheme: "mysql", port: "3306", example: "mysql://user@host:3306/mlflow", part: noPart, open: openMySQL,
	quotes: "`", version: "SELECT version()", snapshot: sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true},
	// Without it MariaDB and MySQL take the index by its first column alone while a page is in the first part of an experiment, and
	// read all before that page again.
	hint: " FORCE INDEX (%s)",
	hasIndex: "SELECT count(*) FROM information_schema.statistics WHERE table_schema = database() AND table_name = 'trace_info'" +
		" AND index_name = ?",
	transient: mysqlTransient, judge: judgeMySQL, words: mysqlWords,
}

// connectTimeout is how long a server may take to take a connection.
const connectTimeout = 20 * time.Second

func openMySQL(a *Address, opts Options) (*sql.DB, error) {
	cfg := driver.NewConfig()
	cfg.User, cfg.Passwd, cfg.DBName = a.user, a.password, a.database
	if cfg.Passwd == "" {
		cfg.Passwd = opts.getenv("MYSQL_PWD")
	}
	cfg.Net, cfg.Addr = "tcp", net.JoinHostPort(cmp.Or(a.host, "localhost"), cmp.Or(a.port, a.engine.port))
	if socket := a.socket(); socket != "" {
		cfg.Net, cfg.Addr = "unix", socket
	}
	cfg.Timeout, cfg.ReadTimeout = connectTimeout, 10*time.Minute
	cfg.InterpolateParams = true // parameters are IDs and numbers; a statement so takes one way to the server and not three
	cfg.Logger = &driver.NopLogger{}
	if err := mysqlTLS(a, cfg); err != nil {
		return nil, err
	}
	c, err := driver.NewConnector(cfg)
	if err != nil {
		return nil, &AddressError{"the parameters in the database's address can't be meant so: " + innermost(err)}
	}
	return sql.OpenDB(c), nil
}

// mysqlTLS sets how a connection is encrypted, by the parameters that PyMySQL and mysqlclient take. Without any, it is where the
// server can, as with the command mysql.
func mysqlTLS(a *Address, cfg *driver.Config) error {
	mode, ca, cert := strings.ToUpper(a.params.Get("ssl_mode")), a.params.Get("ssl_ca"), a.params.Get("ssl_cert")
	switch {
	case mode == "DISABLED" || strings.EqualFold(a.params.Get("ssl_disabled"), "true"):
		cfg.TLSConfig = "false"
		return nil
	case ca == "" && cert == "" && mode == "REQUIRED":
		cfg.TLSConfig = "skip-verify"
		return nil
	case ca == "" && cert == "" && !strings.HasPrefix(mode, "VERIFY_"):
		cfg.TLSConfig = "preferred"
		return nil
	}
	cfg.TLS = &tls.Config{ServerName: a.host, MinVersion: tls.VersionTLS12}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return &AddressError{fmt.Sprintf("ssl_ca in the database's address names a file that can't be read: %v", err)}
		}
		cfg.TLS.RootCAs = x509.NewCertPool()
		if !cfg.TLS.RootCAs.AppendCertsFromPEM(pem) {
			return &AddressError{"ssl_ca in the database's address names a file without a certificate in PEM form"}
		}
	}
	if err := clientCertificate(a, cfg.TLS); err != nil {
		return err
	}
	// The drivers compare the name in the certificate only where they are told to.
	if mode != "VERIFY_IDENTITY" && !strings.EqualFold(a.params.Get("ssl_verify_identity"), "true") {
		verifyChain(cfg.TLS)
	}
	return nil
}

// clientCertificate puts the certificate that the parameters name, if any, into t.
func clientCertificate(a *Address, t *tls.Config) error {
	if cert := a.params.Get("ssl_cert"); cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, cmp.Or(a.params.Get("ssl_key"), cert))
		if err != nil {
			return &AddressError{fmt.Sprintf("ssl_cert and ssl_key in the database's address name no certificate with its key: %v", err)}
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return nil
}

// verifyChain makes t verify that a certificate is signed by a known authority, and not whose name it has.
func verifyChain(t *tls.Config) {
	roots := t.RootCAs
	t.InsecureSkipVerify = true
	t.VerifyConnection = func(s tls.ConnectionState) error {
		o := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
		for _, c := range s.PeerCertificates[1:] {
			o.Intermediates.AddCert(c)
		}
		_, err := s.PeerCertificates[0].Verify(o)
		return err
	}
}

func mysqlNumber(err error) uint16 {
	if e, ok := errors.AsType[*driver.MySQLError](err); ok {
		return e.Number
	}
	return 0
}

// mysqlTransient names lost connections, servers that start, stop or have no place, and transactions that the server has ended so
// that others could go on. The numbers are those of MySQL's server error reference.
func mysqlTransient(err error) bool {
	switch mysqlNumber(err) {
	case 0:
		return errors.Is(err, driver.ErrInvalidConn) || lostConnection(err)
	case 1040, 1053, 1203, 1205, 1213, 1226, 1317, 1927, 4031:
		return true
	}
	return false
}

func judgeMySQL(a *Address, err error) (next string, kind fault.Kind) {
	switch mysqlNumber(err) {
	case 1045, 1698, 1251, 1396:
		return "Check the user and the password: in the address, or MYSQL_PWD", fault.Credentials
	case 1142, 1143:
		return "Let the user read the tables: GRANT SELECT ON the database TO the user", fault.Permission
	case 1044: // also of a database that does not exist, where the user may not know
		return "Check the name of the database in the address, " + a.String() + ", or let the user read it by GRANT SELECT",
			fault.Permission
	case 1049:
		return "Check the name of the database in the address, " + a.String(), fault.NotFound
	case 1040, 1203, 1226:
		return "The server has no connection left: raise its limit, or run again later", ""
	}
	return "", ""
}

// mysqlWords are what the server says, else what the driver says.
func mysqlWords(err error) string {
	if e, ok := errors.AsType[*driver.MySQLError](err); ok {
		return e.Message + " (error " + strconv.Itoa(int(e.Number)) + ")"
	}
	return innermost(err)
}
