package mlflowclient

import "net/http"

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
