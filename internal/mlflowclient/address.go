package mlflowclient

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
)

// AddressError says that a tracking URI names no server that can be asked, and what to give instead.
// Its text repeats the URI only where that can't hold a password.
type AddressError struct{ Text string }

func (e *AddressError) Error() string { return e.Text }

// hostAndPort is an address whose scheme was forgotten. One with an @ is not matched: what stands before
// it may be a password.
var hostAndPort = regexp.MustCompile(`^[A-Za-z0-9.-]+:[0-9]+(/[A-Za-z0-9./_-]*)?$`)

// folderServer starts a server on a folder, which newer versions of MLflow do only when told that it is meant.
const folderServer = "MLFLOW_ALLOW_FILE_STORE=true mlflow server"

// serverAddress is the http or https address that a tracking URI is. MLflow's client also opens
// databases and folders by itself, and finds servers by plugins; of these the error, an *AddressError,
// says what they are.
func serverAddress(trackingURI string) (*url.URL, error) {
	if _, ok := DatabricksURI(trackingURI); ok {
		return nil, &AddressError{"the tracking URI names a Databricks workspace, not an MLflow server"}
	}
	if u, err := url.Parse(trackingURI); err == nil && u.Host != "" && (strings.EqualFold(u.Scheme, "http") || strings.EqualFold(u.Scheme, "https")) {
		return u, nil
	}
	const example = "http://127.0.0.1:5000"
	scheme, _, found := strings.Cut(trackingURI, ":")
	dialect, _, _ := strings.Cut(strings.ToLower(scheme), "+") // as in postgresql+psycopg2
	if !found {
		dialect = ""
	}
	start := func(what, command string) error {
		shown := "<the same URI>"
		if !strings.ContainsAny(trackingURI, "@?") {
			shown = trackingURI
		}
		return &AddressError{fmt.Sprintf("the tracking URI is %s, which MLflow opens by itself; tracemig asks a server. Start one on it, %s --backend-store-uri %s, and give its address, such as %s", what, command, shown, example)}
	}
	switch dialect {
	case "sqlite", "postgresql", "mysql", "mssql":
		return nil, start("a database's ("+dialect+")", "mlflow server")
	case "file":
		return nil, start("a folder", folderServer)
	case "arn":
		return nil, &AddressError{"the tracking URI is an ARN of Amazon SageMaker, whose MLflow servers take only requests signed for AWS, which tracemig does not do. Start a proxy that signs them (AWS SigV4) and give its address, such as " + example}
	case "azureml":
		return nil, &AddressError{"the tracking URI is Azure ML's, which MLflow reaches by a plugin that tracemig does not have. Give the address of an MLflow server, such as " + example}
	case "databricks-uc", "uc":
		return nil, &AddressError{"the tracking URI names a model registry, which holds no traces. Give databricks or databricks://PROFILE for the workspace, or the address of an MLflow server"}
	}
	switch {
	case hostAndPort.MatchString(trackingURI):
		return nil, &AddressError{"the tracking URI lacks http:// or https://; write http://" + trackingURI}
	case !found && !strings.Contains(trackingURI, "@"):
		return nil, start("a folder", folderServer)
	}
	return nil, &AddressError{"the tracking URI is no http or https address; give one such as " + example}
}

// DatabricksURI tells whether a tracking URI names a Databricks workspace ("databricks" or
// "databricks://profile") and which profile of .databrickscfg, if any.
func DatabricksURI(trackingURI string) (profile string, ok bool) {
	if trackingURI == "databricks" {
		return "", true
	}
	return strings.CutPrefix(trackingURI, "databricks://")
}

// private tells whether what is sent to u can be read by nobody on the way.
func private(u *url.URL) bool {
	if u.Scheme == "https" {
		return true
	}
	host := u.Hostname()
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}
