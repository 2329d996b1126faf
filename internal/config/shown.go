package config

import (
	"net/url"
	"strings"
)

// Shown is a value as it may be printed: of an address, without user, password and query.
func Shown(value string) string {
	scheme, rest, ok := strings.Cut(value, "://")
	if !ok {
		return value
	}
	u, err := url.Parse(value)
	if err != nil { // such as a password with characters that an address can't have
		rest = rest[strings.LastIndexByte(rest, '@')+1:]
		rest, _, _ = strings.Cut(rest, "?")
		return scheme + "://" + rest
	}
	u.User, u.RawQuery, u.Fragment, u.RawFragment, u.ForceQuery = nil, "", "", "", false
	return u.String()
}
