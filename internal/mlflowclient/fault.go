package mlflowclient

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"regexp"
	"syscall"
	"time"
)

// unreachable tells of a name that does not exist and of a port at which nothing listens.
func unreachable(err error) bool {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return dns.IsNotFound
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// untrusted tells of a certificate that is not trusted, and of plain http behind an https address.
func untrusted(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	_, plain := errors.AsType[tls.RecordHeaderError](err)
	return plain
}

// queries finds the query strings of addresses that a server repeats in its messages, which may be
// signatures.
var queries = regexp.MustCompile(`(https?://[^\s?"']+)\?[^\s"']*`)

func redactQueries(s string) string { return queries.ReplaceAllString(s, "$1?…") }

const levelRetry = slog.LevelDebug

func attrErr(err error) slog.Attr        { return slog.String("error", err.Error()) }
func attrWait(d time.Duration) slog.Attr { return slog.Duration("wait", d.Round(time.Millisecond)) }
