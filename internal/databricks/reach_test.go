package databricks

import (
	"errors"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// A port that refuses connections is an error after two seconds. One that opens meanwhile is not, and neither is any other
// fault.
func TestCheckListens(t *testing.T) {
	refused := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	for name, try := range map[string]struct {
		refusals int // before err
		err      error
		tries    int
		fails    bool
	}{
		"open":            {0, nil, 1, false},
		"opens meanwhile": {3, nil, 4, false},
		"closed":          {100, nil, 5, true},
		"no such name":    {0, &net.DNSError{IsNotFound: true}, 1, false},
		"times out":       {1, os.ErrDeadlineExceeded, 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tries, began := 0, time.Now()
				err := checkListens(&url.URL{Scheme: "https", Host: "workspace.example"}, func(_, address string, _ time.Duration) (net.Conn, error) {
					if tries++; address != "workspace.example:443" {
						t.Errorf("asked %s", address)
					}
					if tries <= try.refusals {
						return nil, refused
					}
					if try.err != nil {
						return nil, try.err
					}
					here, there := net.Pipe()
					there.Close()
					return here, nil
				})
				if tries != try.tries || (err != nil) != try.fails || time.Since(began) > refusedTime {
					t.Errorf("after %d tries and %v: error %v; want %d tries, and an error: %t",
						tries, time.Since(began), err, try.tries, try.fails)
				}
				const want = "nothing listens at workspace.example: connection refused. Check the host"
				if _, ok := errors.AsType[*hostError](err); try.fails && (!ok || !strings.Contains(err.Error(), want)) {
					t.Errorf("error %v, want a hostError with %q", err, want)
				}
			})
		})
	}
}
