package databricks

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"

	"github.com/tracemig/tracemig/internal/advice"
)

// refusedTime is for how long a port that refuses connections is tried: the server may just be starting. After that it is more
// likely that the address is wrong. The SDK would say nothing about it for ten times as long, at each of its requests.
const refusedTime = 2 * time.Second

// checkListens fails where connections to u are refused, and only then: the first request tells of unknown names, of
// certificates and of slow networks.
func checkListens(u *url.URL, dial func(network, address string, timeout time.Duration) (net.Conn, error)) error {
	if proxy, err := http.ProxyFromEnvironment(&http.Request{URL: u}); err != nil || proxy != nil {
		return nil // only the proxy can reach it
	}
	port := u.Port()
	if port == "" {
		port = "443"
		if u.Scheme == "http" {
			port = "80"
		}
	}
	//nolint:forbidigo // two seconds at most, before anything has begun that could be cancelled
	for end := time.Now().Add(refusedTime); ; time.Sleep(refusedTime / 4) {
		conn, err := dial("tcp", net.JoinHostPort(u.Hostname(), port), refusedTime)
		if err == nil {
			return conn.Close()
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return nil
		}
		if !time.Now().Before(end) {
			return &hostError{advice.With(fmt.Errorf("nothing listens at %s: %w", u.Host, syscall.ECONNREFUSED),
				"Check the host that --host, the profile or DATABRICKS_HOST names, and the network")}
		}
	}
}
