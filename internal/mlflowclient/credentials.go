package mlflowclient

import (
	"bufio"
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// Credentials says of what kind the credentials are that requests to an MLflow server carry, never
// what they are.
func (c *Client) Credentials() string {
	if c.authenticate == nil {
		return "no credentials"
	}
	r := &http.Request{Header: http.Header{}}
	if err := c.authenticate(r); err != nil {
		return "credentials that can't be had"
	}
	if _, _, basic := r.BasicAuth(); basic {
		return "a user name and password"
	}
	return "a token"
}

// ServerCredentials are what an open-source MLflow server asks for. As in MLflow's own client a user
// with a password comes before a token.
type ServerCredentials struct {
	Token              string
	Username, Password string
}

// credentials reads those that MLflow's client would send: a user name and a password, of the
// environment or else of ~/.mlflow/credentials, before a token. What is in the address itself counts
// where there are none, and what .netrc has of the host comes last.
func credentials(address *url.URL, getenv func(string) string) (ServerCredentials, error) {
	home := getenv("HOME")
	var user, password string
	if home != "" {
		var err error
		if user, password, err = credentialsFile(filepath.Join(home, ".mlflow", "credentials")); err != nil {
			return ServerCredentials{}, err
		}
	}
	c := ServerCredentials{
		Token:    getenv("MLFLOW_TRACKING_TOKEN"),
		Username: cmp.Or(getenv("MLFLOW_TRACKING_USERNAME"), user),
		Password: cmp.Or(getenv("MLFLOW_TRACKING_PASSWORD"), password),
	}
	if c.Token != "" || c.Username != "" && c.Password != "" || address.User != nil {
		return c, nil
	}
	if file := cmp.Or(getenv("NETRC"), filepath.Join(home, ".netrc")); home != "" || getenv("NETRC") != "" {
		if user, password, ok := netrc(file, address.Hostname()); ok {
			return ServerCredentials{Username: user, Password: password}, nil
		}
	}
	return c, nil
}

// credentialsFile reads the section [mlflow] of an INI file as Python's configparser does. A file that
// is not there has none.
func credentialsFile(path string) (user, password string, err error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return "", "", nil
	}
	if err != nil {
		return "", "", refused("~/.mlflow/credentials can't be read: %v", err)
	}
	defer f.Close()
	section := ""
	in := bufio.NewScanner(f)
	for in.Scan() {
		line := strings.TrimSpace(in.Text())
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		if line[0] == '[' {
			section, _, _ = strings.Cut(line[1:], "]")
			continue
		}
		at := strings.IndexAny(line, "=:")
		if at < 0 || section != "mlflow" {
			continue
		}
		// Python writes a percent sign twice.
		value := strings.ReplaceAll(strings.TrimSpace(line[at+1:]), "%%", "%")
		switch strings.ToLower(strings.TrimSpace(line[:at])) {
		case "mlflow_tracking_username":
			user = value
		case "mlflow_tracking_password":
			password = value
		}
	}
	if err := in.Err(); err != nil {
		return "", "", refused("~/.mlflow/credentials can't be read: %v", err)
	}
	return user, password, nil
}

// netrc looks a host up in a file of that form; its default entry counts too.
func netrc(path, host string) (user, password string, ok bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", "", false
	}
	var words []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "#") {
			words = append(words, strings.Fields(line)...)
		}
	}
	mine := false
	for i := 0; i < len(words); i++ {
		next := ""
		if i+1 < len(words) {
			next = words[i+1]
		}
		switch words[i] {
		case "machine", "default":
			if mine && password != "" {
				return user, password, true
			}
			mine = words[i] == "default" || next == host
			user, password = "", ""
			if words[i] == "machine" {
				i++
			}
		case "login", "user":
			if i++; mine {
				user = next
			}
		case "password":
			if i++; mine {
				password = next
			}
		case "account":
			i++
		}
	}
	return user, password, mine && password != ""
}
