package mlflowdb

import (
	"net/url"
	"slices"
	"strings"
)

// WithoutPassword is the address of a database as it may be printed: as it was written, but for its password and what else could be one.
// Whoever sets PGPASSWORD or MYSQL_PWD can use it as it is.
func WithoutPassword(uri string) string {
	scheme, rest, _ := strings.Cut(uri, "://")
	user := ""
	// A password may hold what ends it elsewhere, so that all up to the last @ is taken for one.
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		user = rest[:at]
		user, rest = user[:strings.IndexAny(user+":", ":/?@")]+"@", rest[at+1:]
	}
	rest, query, given := strings.Cut(rest, "?")
	if given {
		params := slices.DeleteFunc(strings.Split(query, "&"), func(p string) bool {
			name, _, _ := strings.Cut(p, "=")
			plain, err := url.QueryUnescape(name)
			plain = strings.ToLower(plain)
			return err != nil || slices.ContainsFunc(secretParams, func(s string) bool { return strings.Contains(plain, s) })
		})
		if len(params) > 0 {
			rest += "?" + strings.Join(params, "&")
		}
	}
	return scheme + "://" + user + rest
}

// secretParams are parts of the names of parameters that hold secrets.
var secretParams = []string{"pass", "pwd", "secret", "token"}
