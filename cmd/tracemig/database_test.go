package main

import (
	"database/sql"
	"net"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/rogpeppe/go-internal/testscript"
)

// servePostgres lets in who knows the password secret-word, as a PostgreSQL server does, and then lets nobody read a table.
func servePostgres(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			refuse(c)
		}()
	}
}

func refuse(c net.Conn) {
	b := pgproto3.NewBackend(c, c)
	for {
		m, err := b.ReceiveStartupMessage()
		if err != nil {
			return
		}
		if _, ok := m.(*pgproto3.StartupMessage); ok {
			break
		}
		if _, err := c.Write([]byte("N")); err != nil { // no TLS
			return
		}
	}
	b.Send(&pgproto3.AuthenticationCleartextPassword{})
	if b.Flush() != nil || b.SetAuthType(pgproto3.AuthTypeCleartextPassword) != nil {
		return
	}
	m, err := b.Receive()
	if p, ok := m.(*pgproto3.PasswordMessage); err != nil || !ok || p.Password != "secret-word" {
		b.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "28P01", Message: `password authentication failed for user "ann"`})
		_ = b.Flush() // the client is told no more, or is gone
		return
	}
	b.Send(&pgproto3.AuthenticationOk{})
	b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	for b.Flush() == nil {
		if _, err := b.Receive(); err != nil {
			return
		}
		b.Send(&pgproto3.ErrorResponse{Severity: "ERROR", Code: "42501", Message: "permission denied for table alembic_version"})
		b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	}
}

// makeStore makes the SQLite file of a store that MLflow has written, and changes it by statements, if any. Beside it, in artifacts,
// are the files that the server kept.
func makeStore(ts *testscript.TestScript, _ bool, args []string) {
	recorded := filepath.Join("..", "..", "internal", "mlflowdb", "testdata", "stores", "3.17.2")
	text, err := os.ReadFile(filepath.Join(recorded, "store.sql"))
	ts.Check(err)
	db, err := sql.Open("sqlite", ts.MkAbs(args[0]))
	ts.Check(err)
	defer db.Close()
	for _, statements := range append([]string{string(text)}, args[1:]...) {
		_, err := db.Exec(statements)
		ts.Check(err)
	}
	if _, err := os.Stat(ts.MkAbs("artifacts")); err != nil {
		ts.Check(os.CopyFS(ts.MkAbs("artifacts"), os.DirFS(filepath.Join(recorded, "artifacts"))))
	}
}
