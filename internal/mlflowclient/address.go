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

// DatabricksURI tells whether a tracking URI names a Databricks workspace ("databricks" or
// "databricks://profile") and which profile of .databrickscfg, if any.
func DatabricksURI(trackingURI string) (profile string, ok bool) {
	if trackingURI == "databricks" {
		return "", true
	}
	return strings.CutPrefix(trackingURI, "databricks://")
}

// serverAddress returns a tracking URI that is an http or https address. For any other it returns an *AddressError.
func serverAddress(trackingURI string) (*url.URL, error) {
	if _, ok := DatabricksURI(trackingURI); ok {
		return nil, &AddressError{"the tracking URI names a Databricks workspace, not an MLflow server"}
	}
	u, err := url.Parse(trackingURI)
	if err == nil && u.Host != "" && (strings.EqualFold(u.Scheme, "http") || strings.EqualFold(u.Scheme, "https")) {
		return u, nil
	}
	return nil, noServer(trackingURI)
}

const (
	exampleAddress = "http://127.0.0.1:5000"
	// folderServer is the command that starts a server on a folder. Newer versions of MLflow refuse a folder without
	// the variable.
	folderServer = "MLFLOW_ALLOW_FILE_STORE=true mlflow server"
)

// hostAndPort matches an address whose scheme was forgotten. It does not match one with an @, because the text before
// the @ may be a password.
var hostAndPort = regexp.MustCompile(`^[A-Za-z0-9.-]+:[0-9]+(/[A-Za-z0-9./_-]*)?$`)

// noServer says what a tracking URI that is no server's address is. MLflow's client also opens folders by itself, and finds
// other kinds of servers through plugins. (Databases are read by package mlflowdb.)
func noServer(trackingURI string) *AddressError {
	scheme, _, found := strings.Cut(trackingURI, ":")
	if !found {
		scheme = ""
	}
	switch strings.ToLower(scheme) {
	case "file":
		return folderOf(trackingURI)
	case "arn":
		return &AddressError{"the tracking URI is an ARN of Amazon SageMaker, whose MLflow servers take only requests signed for AWS, " +
			"which tracemig does not do. Start a proxy that signs them (AWS SigV4) and give its address, such as " + exampleAddress}
	case "azureml":
		return &AddressError{"the tracking URI is Azure ML's, which MLflow reaches by a plugin that tracemig does not have. " +
			"Give the address of an MLflow server, such as " + exampleAddress}
	case "databricks-uc", "uc":
		return &AddressError{"the tracking URI names a model registry, which holds no traces. " +
			"Give databricks or databricks://PROFILE for the workspace, or the address of an MLflow server"}
	}
	switch {
	case hostAndPort.MatchString(trackingURI):
		return &AddressError{"the tracking URI lacks http:// or https://; write http://" + trackingURI}
	case !found && !strings.Contains(trackingURI, "@"):
		return folderOf(trackingURI)
	}
	return &AddressError{"the tracking URI is no http or https address; give one such as " + exampleAddress}
}

// folderOf says how to start a server on a folder, which MLflow's client would open by itself.
func folderOf(trackingURI string) *AddressError {
	shown := "<the same URI>"
	if !strings.ContainsAny(trackingURI, "@?") {
		shown = trackingURI
	}
	return &AddressError{fmt.Sprintf("the tracking URI is a folder, which MLflow opens by itself; tracemig asks a server. "+
		"Start one on it, %s --backend-store-uri %s, and give its address, such as %s", folderServer, shown, exampleAddress)}
}

// private tells whether nobody on the way can read what is sent to u.
func private(u *url.URL) bool {
	if u.Scheme == "https" {
		return true
	}
	host := u.Hostname()
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}
