package mlflowclient

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func env(kv ...string) func(string) string {
	m := map[string]string{}
	for i := 0; i+1 < len(kv); i += 2 {
		m[kv[i]] = kv[i+1]
	}
	return func(name string) string { return m[name] }
}

func TestEnvironmentRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "s.pem")
	if err := os.WriteFile(file, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"MLFLOW_TRACKING_AWS_SIGV4":        "True",
		"MLFLOW_TRACKING_AUTH":             "my-plugin",
		"MLFLOW_TRACKING_INSECURE_TLS":     "yes",
		"MLFLOW_HTTP_REQUEST_TIMEOUT":      "soon",
		"MLFLOW_TRACKING_SERVER_CERT_PATH": file,
		"MLFLOW_TRACKING_CLIENT_CERT_PATH": file,
		"REQUESTS_CA_BUNDLE":               file + ".not",
		"HTTPS_PROXY":                      "http://u:s3cret@",
		"all_proxy":                        "ftp://s3cret",
	} {
		_, err := ReadEnvironment("https://mlflow.example", env(name, value))
		e, ok := errors.AsType[*EnvironmentError](err)
		if !ok {
			t.Errorf("%s: error %v, want an *EnvironmentError", name, err)
			continue
		}
		if !strings.Contains(strings.ToUpper(e.Text), strings.ToUpper(name)) || strings.Contains(e.Text, "s3cret") {
			t.Errorf("%s: error %v, want one with the name and without the value", name, err)
		}
	}
	for _, name := range withoutEffect {
		e, err := ReadEnvironment("https://mlflow.example", env(name, "1"))
		if err != nil || len(e.Warnings) != 1 || !strings.Contains(e.Warnings[0], name) {
			t.Errorf("%s: %+v, error %v, want a warning with the name", name, e, err)
		}
	}
}

// The server asks for a client's certificate, and its own is signed by no known authority.
func TestEnvironmentTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, experiment7) }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	dir := t.TempDir()
	client, own := filepath.Join(dir, "client.pem"), clientCertificate(t)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(own)
	s.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
	s.StartTLS()
	defer s.Close()
	ca := filepath.Join(dir, "ca", "server.pem")
	if err := errors.Join(os.WriteFile(client, own, 0o600), os.Mkdir(filepath.Dir(ca), 0o700),
		os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600)); err != nil {
		t.Fatal(err)
	}
	const serverName, clientName = "MLFLOW_TRACKING_SERVER_CERT_PATH", "MLFLOW_TRACKING_CLIENT_CERT_PATH"
	for name, tt := range map[string]struct {
		env []string
		ok  bool
	}{
		"both":                      {[]string{serverName, ca, clientName, client}, true},
		"a folder of authorities":   {[]string{serverName, filepath.Dir(ca), clientName, client}, true},
		"the bundle of requests":    {[]string{"REQUESTS_CA_BUNDLE", ca, clientName, client}, true},
		"MLflow's before requests'": {[]string{serverName, ca, "REQUESTS_CA_BUNDLE", "/nowhere", clientName, client}, true},
		"not verified":              {[]string{"MLFLOW_TRACKING_INSECURE_TLS", "TRUE", clientName, client}, true},
		"no client's certificate":   {[]string{serverName, ca}, false},
		"no authority":              {[]string{clientName, client}, false},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := ReadEnvironment(s.URL, env(tt.env...))
			if err != nil {
				t.Fatal(err)
			}
			opts := Options{Limits: unlimited}
			opts.Retry.Budget = time.Millisecond // Otherwise a handshake that fails is tried again.
			e.Apply(&opts)
			c, err := NewServer(s.URL, e.Credentials, opts)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Experiment(t.Context(), "7"); (err == nil) != tt.ok {
				t.Errorf("error %v, want one: %t", err, !tt.ok)
			}
			if insecure := strings.HasPrefix(name, "not"); insecure != (len(e.Warnings) == 1) {
				t.Errorf("warnings %q, want one: %t", e.Warnings, insecure)
			}
		})
	}
}

// clientCertificate is a certificate and its key in one PEM text, as requests takes them.
func clientCertificate(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "rig"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestEnvironmentProxies(t *testing.T) {
	for name, tt := range map[string]struct {
		env  []string
		url  string
		want string
	}{
		"none":         {nil, "http://mlflow.example", ""},
		"http":         {[]string{"HTTP_PROXY", "http://p:1"}, "http://mlflow.example", "http://p:1"},
		"lower case":   {[]string{"http_proxy", "p:1", "HTTP_PROXY", "http://q:1"}, "http://mlflow.example", "http://p:1"},
		"https":        {[]string{"HTTPS_PROXY", "http://p:1", "HTTP_PROXY", "http://q:1"}, "https://mlflow.example", "http://p:1"},
		"all":          {[]string{"ALL_PROXY", "socks5://p:1"}, "https://mlflow.example", "socks5://p:1"},
		"but not this": {[]string{"HTTPS_PROXY", "http://p:1", "NO_PROXY", "other,.example"}, "https://mlflow.example", ""},
		"loopback":     {[]string{"HTTP_PROXY", "http://p:1"}, "http://127.0.0.1:5000", ""},
	} {
		f, err := proxies(env(tt.env...))
		if err != nil {
			t.Fatal(err)
		}
		r, _ := http.NewRequest(http.MethodGet, tt.url, nil)
		u, err := f(r)
		got := ""
		if u != nil {
			got = u.String()
		}
		if err != nil || got != tt.want {
			t.Errorf("%s: %q, error %v, want %q", name, got, err, tt.want)
		}
	}
}
