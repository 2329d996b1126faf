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

// ServerCredentials are what an open-source MLflow server asks for. A user with a password comes before a token, as in
// MLflow's own client.
type ServerCredentials struct {
	Token              string
	Username, Password string
}

// Credentials says which kind of credentials requests to an MLflow server carry. It never shows their values.
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

// serverCredentials reads the credentials that MLflow's client would send. A user name and a password, from the
// environment or else from ~/.mlflow/credentials, come before a token. Where there are neither, those in the
// address itself count, and last those that .netrc has for the host.
func serverCredentials(address *url.URL, getenv func(string) string) (ServerCredentials, error) {
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

// credentialsFile reads the section [mlflow] of an INI file as Python's configparser does. A missing file counts
// as an empty one.
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

// netrc looks a host up in a .netrc file. The default entry matches every host.
func netrc(path, host string) (user, password string, ok bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", "", false
	}
	for _, e := range parseNetrc(string(text)) {
		if (e.everyHost || e.host == host) && e.password != "" {
			return e.user, e.password, true
		}
	}
	return "", "", false
}

type netrcEntry struct {
	host           string
	everyHost      bool // the default entry
	user, password string
}

// parseNetrc reads the entries of a .netrc file. It ignores words before the first entry.
func parseNetrc(text string) []netrcEntry {
	var words []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "#") {
			words = append(words, strings.Fields(line)...)
		}
	}
	entries := []netrcEntry{{}} // The first one takes the words before all entries, and is left out.
	for len(words) > 0 {
		word, value := words[0], ""
		if words = words[1:]; len(words) > 0 {
			value = words[0]
		}
		switch last := &entries[len(entries)-1]; word {
		case "machine":
			entries = append(entries, netrcEntry{host: value})
		case "login", "user":
			last.user = value
		case "password":
			last.password = value
		case "account":
		case "default":
			entries = append(entries, netrcEntry{everyHost: true})
			continue // It has no value.
		default:
			continue
		}
		words = words[min(1, len(words)):]
	}
	return entries[1:]
}
