package databricks

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"
)

// refusals is how long a port at which nothing listens is asked again: what listens there may just be
// starting. After that it is more likely that the address is wrong, and the SDK would keep silent about it for
// ten times as long, at each of its requests.
const refusals = 2 * time.Second

// listens says whether connections to u are refused, and nothing else: names, certificates and slow
// networks are for the first request to tell.
func listens(u *url.URL, dial func(network, address string, timeout time.Duration) (net.Conn, error)) error {
	if proxy, err := http.ProxyFromEnvironment(&http.Request{URL: u}); err != nil || proxy != nil {
		return nil // which alone knows the way
	}
	port := u.Port()
	if port == "" {
		port = "443"
		if u.Scheme == "http" {
			port = "80"
		}
	}
	for end := time.Now().Add(refusals); ; time.Sleep(refusals / 4) {
		conn, err := dial("tcp", net.JoinHostPort(u.Hostname(), port), refusals)
		if err == nil {
			return conn.Close()
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return nil
		}
		if !time.Now().Before(end) {
			return &hostError{fmt.Sprintf("nothing listens at %s: %v. Check the host that --host, the profile or DATABRICKS_HOST names, and the network", u.Host, syscall.ECONNREFUSED)}
		}
	}
}
