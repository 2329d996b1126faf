package mlflowclient

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpproxy"
)

// Environment is what MLflow's own client reads from the environment and the home directory to reach an open-source
// tracking server. docs/environment.md lists which variables are honoured and which are refused.
type Environment struct {
	Credentials ServerCredentials
	Workspace   string   // of the server, or empty
	Warnings    []string // to be logged by each run

	timeout time.Duration
	proxy   func(*http.Request) (*url.URL, error)
	tls     *tls.Config
}

// EnvironmentError says that a variable can't be honoured. Without it requests would go to another server, or carry
// another identity.
type EnvironmentError struct{ Text string }

func (e *EnvironmentError) Error() string { return e.Text }

func refused(format string, args ...any) error {
	return &EnvironmentError{fmt.Sprintf(format, args...)}
}

// withoutEffect are the variables that tune MLflow's client and don't tune tracemig, which repeats requests, holds
// connections and bounds their number by rules of its own.
var withoutEffect = []string{
	"MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER",
	"MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER", "MLFLOW_HTTP_POOL_CONNECTIONS", "MLFLOW_HTTP_POOL_MAXSIZE",
	"MLFLOW_HTTP_TCP_KEEPALIVE", "MLFLOW_HTTP_TCP_KEEPALIVE_IDLE", "MLFLOW_HTTP_TCP_KEEPALIVE_INTERVAL", "MLFLOW_HTTP_TCP_KEEPALIVE_COUNT",
	"MLFLOW_DATABRICKS_TRAFFIC_ID",
}

// ReadEnvironment reads what MLflow's client would read for the server at trackingURI. Its errors are an *AddressError
// or an *EnvironmentError, and hold no secret.
func ReadEnvironment(trackingURI string, getenv func(string) string) (*Environment, error) {
	address, err := serverAddress(trackingURI)
	if err != nil {
		return nil, err
	}
	e := &Environment{Workspace: strings.TrimSpace(getenv("MLFLOW_WORKSPACE"))}
	if err := refuseSigners(getenv); err != nil {
		return nil, err
	}
	if e.Credentials, err = serverCredentials(address, getenv); err != nil {
		return nil, err
	}
	if e.timeout, err = requestTimeout(getenv); err != nil {
		return nil, err
	}
	if e.proxy, err = proxies(getenv); err != nil {
		return nil, err
	}
	if err := e.readTLS(getenv); err != nil {
		return nil, err
	}
	set := slices.DeleteFunc(slices.Clone(withoutEffect), func(name string) bool { return getenv(name) == "" })
	if len(set) > 0 {
		e.Warnings = append(e.Warnings, strings.Join(set, ", ")+
			" without effect: tracemig repeats requests and holds connections by rules of its own")
	}
	return e, nil
}

// Apply puts everything but the credentials into opts.
func (e *Environment) Apply(opts *Options) {
	opts.Workspace, opts.Timeout, opts.Proxy, opts.TLS = e.Workspace, e.timeout, e.proxy, e.tls
}

// refuseSigners refuses the variables that ask for requests signed by code that tracemig does not have.
func refuseSigners(getenv func(string) string) error {
	sigv4, err := boolean(getenv, "MLFLOW_TRACKING_AWS_SIGV4")
	switch auth := getenv("MLFLOW_TRACKING_AUTH"); {
	case err != nil:
		return err
	case sigv4:
		return refused("MLFLOW_TRACKING_AWS_SIGV4 asks for requests signed for AWS, which tracemig does not do. " +
			"Start a proxy that signs them, give its address as the tracking URI, and unset the variable")
	case auth == "kubernetes" || auth == "kubernetes-namespaced":
		return refused("MLFLOW_TRACKING_AUTH=%s is a plugin of MLflow that tracemig does not have. Unset it, put the service account's token "+
			"(/var/run/secrets/kubernetes.io/serviceaccount/token) into MLFLOW_TRACKING_TOKEN, "+
			"and name the workspace with --workspace where the server has several", auth)
	case auth != "":
		return refused("MLFLOW_TRACKING_AUTH names a plugin of MLflow, which tracemig can't load. Unset it and set MLFLOW_TRACKING_TOKEN, " +
			"or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD")
	}
	return nil
}

// boolean reads a variable as MLflow does: true, false, 1 or 0.
func boolean(getenv func(string) string, name string) (bool, error) {
	switch strings.ToLower(getenv(name)) {
	case "true", "1":
		return true, nil
	case "", "false", "0":
		return false, nil
	}
	return false, refused("%s is neither true nor false. Set one of them, or unset it", name)
}

func requestTimeout(getenv func(string) string) (time.Duration, error) {
	const name = "MLFLOW_HTTP_REQUEST_TIMEOUT"
	v := getenv(name)
	if v == "" {
		return 0, nil
	}
	seconds, err := strconv.Atoi(v)
	if err != nil || seconds < 1 {
		return 0, refused("%s is no number of seconds above 0. Correct it, or unset it", name)
	}
	return time.Duration(seconds) * time.Second, nil
}

// proxies finds the proxy of a request as Python does: HTTP_PROXY or HTTPS_PROXY, else ALL_PROXY, and none
// for the hosts that NO_PROXY names. Unlike Python it never uses a proxy for requests to this machine itself.
func proxies(getenv func(string) string) (func(*http.Request) (*url.URL, error), error) {
	read := func(name string) string { return cmp.Or(getenv(strings.ToLower(name)), getenv(name)) }
	all := read("ALL_PROXY")
	c := httpproxy.Config{
		HTTPProxy: cmp.Or(read("HTTP_PROXY"), all), HTTPSProxy: cmp.Or(read("HTTPS_PROXY"), all),
		NoProxy: read("NO_PROXY"),
	}
	// The package httpproxy silently uses no proxy when it can't read its address.
	for name, address := range map[string]string{"HTTP_PROXY": c.HTTPProxy, "HTTPS_PROXY": c.HTTPSProxy} {
		if address != "" && !proxyAddress(address) {
			return nil, refused("%s, or ALL_PROXY, is no address of a proxy. Write one such as http://proxy.example.com:3128", name)
		}
	}
	f := c.ProxyFunc()
	return func(r *http.Request) (*url.URL, error) { return f(r.URL) }, nil
}

// proxyAddress tells whether httpproxy accepts a proxy's address, whose scheme may be left out.
func proxyAddress(address string) bool {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	return err == nil && u.Host != "" && slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme)
}

// readTLS reads which certificates are trusted, and the client's own.
func (e *Environment) readTLS(getenv func(string) string) error {
	const (
		insecureName = "MLFLOW_TRACKING_INSECURE_TLS"
		serverName   = "MLFLOW_TRACKING_SERVER_CERT_PATH"
		clientName   = "MLFLOW_TRACKING_CLIENT_CERT_PATH"
	)
	insecure, err := boolean(getenv, insecureName)
	if err != nil {
		return err
	}
	if insecure && getenv(serverName) != "" {
		return refused("%s and %s contradict each other, and MLflow refuses them too. Unset one of them", insecureName, serverName)
	}
	e.tls = &tls.Config{InsecureSkipVerify: insecure, MinVersion: tls.VersionTLS12}
	if insecure {
		e.Warnings = append(e.Warnings, insecureName+
			" is set: the server's certificate is not verified, so anyone on the way can read the credentials and change the traces")
	}
	// MLflow's client uses the Python package requests, whose variables come after MLflow's own.
	for _, name := range []string{serverName, "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"} {
		path := getenv(name)
		if path == "" || insecure {
			continue
		}
		if e.tls.RootCAs, err = authorities(path); err != nil {
			return refused("%s names no certificates that can be read: %v", name, err)
		}
		break
	}
	if path := getenv(clientName); path != "" {
		pair, err := tls.LoadX509KeyPair(path, path)
		if err != nil {
			return refused("%s must name a PEM file with a certificate and its key, without a passphrase: %v", clientName, err)
		}
		e.tls.Certificates = []tls.Certificate{pair}
	}
	return nil
}

// authorities reads the certificates of a PEM file, or of all files of a folder.
func authorities(path string) (*x509.CertPool, error) {
	files := []string{path}
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if info.IsDir() {
		if files, err = filepath.Glob(filepath.Join(path, "*")); err != nil {
			return nil, err
		}
	}
	pool, found := x509.NewCertPool(), false
	for _, f := range files {
		pem, err := os.ReadFile(f)
		if err != nil && len(files) == 1 {
			return nil, err
		}
		found = pool.AppendCertsFromPEM(pem) || found
	}
	if !found {
		return nil, errors.New("there is no certificate in PEM form in " + path)
	}
	return pool, nil
}
