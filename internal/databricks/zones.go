package databricks

import (
	"net/url"
	"slices"
	"strings"

	zones "github.com/databricks/databricks-sdk-go/common/environment"
)

// IsWorkspace says whether an address is one of those that Databricks gives its workspaces.
func IsWorkspace(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	host := u.Hostname()
	return strings.HasSuffix(host, ".databricks.com") || // of several workspaces, and with names of an account's own
		slices.ContainsFunc(zones.AllEnvironments(), func(e zones.DatabricksEnvironment) bool { return strings.HasSuffix(host, e.DnsZone) })
}
