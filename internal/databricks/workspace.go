package databricks

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/client"
	"github.com/databricks/databricks-sdk-go/config"

	"github.com/tracemig/tracemig/internal/fault"
)

// Workspace asks a workspace what a migration may do there. Only what makes a target changes anything: CreateExperiment,
// SetMonitoringWarehouse and Grant.
type Workspace struct{ c *client.DatabricksClient }

// NewWorkspace is the workspace that cfg names.
func NewWorkspace(cfg *config.Config) (*Workspace, error) {
	c, err := client.New(cfg)
	return &Workspace{c}, err
}

// Host is the workspace's address.
func (w *Workspace) Host() string { return w.c.Config.Host }

// Identity is the one that the credentials stand for.
type Identity struct {
	Name     string   // user name, or the application ID of a service principal
	Groups   []string // those that the workspace names
	AuthType string   // how it has logged in: pat, oauth-m2m, databricks-cli, ...
}

// includedIn says whether a grant to the principal is one to the identity.
func (i Identity) includedIn(principal string) bool {
	return principal != "" && (strings.EqualFold(principal, i.Name) || slices.Contains(i.Groups, principal) ||
		principal == "account users" || principal == "users") // groups that include everybody
}

// Me asks for the identity. Ask it first: after ErrRefused no other request will be answered.
func (w *Workspace) Me(ctx context.Context) (Identity, error) {
	var a struct {
		UserName string `json:"userName"`
		Groups   []struct {
			Display string `json:"display"`
		} `json:"groups"`
	}
	err := w.get(ctx, "/api/2.0/preview/scim/v2/Me", &a)
	me := Identity{Name: a.UserName, AuthType: w.c.Config.AuthType}
	for _, g := range a.Groups {
		me.Groups = append(me.Groups, g.Display)
	}
	return me, err
}

// Errors of a Workspace and of Files, beside those of the network.
var (
	ErrRefused   = errors.New("the workspace does not accept the credentials")
	ErrNoRight   = errors.New("this identity may not ask")
	ErrNotThere  = errors.New("it does not exist, or this identity may not see it")
	invalidToken = regexp.MustCompile(`(?i)(invalid|expired|revoked)( access)? token|token( is| has)?( been)? (invalid|expired|revoked)`)
)

// Privileges are the privileges that the identity has on a securable (CATALOG, SCHEMA or TABLE, full name), with inherited
// ones, named as in SQL. complete is false where only grants to the identity itself could be seen, and none to its groups.
func (w *Workspace) Privileges(ctx context.Context, securable, name string, me Identity) (held []string, complete bool, err error) {
	path := "/api/2.1/unity-catalog/effective-permissions/" + strings.ToLower(securable) + "/" + url.PathEscape(name)
	complete = true
	if held, err = w.privileges(ctx, path, nil, me); errors.Is(err, ErrNoRight) {
		complete = false
		held, err = w.privileges(ctx, path, url.Values{"principal": {me.Name}}, me)
	}
	if err != nil {
		return nil, false, err
	}
	return held, complete, nil
}

// privileges reads all pages of the list at path. A page may be empty although more follow. max_results 0 leaves the length of
// a page to the workspace, which refuses small ones (docs.databricks.com/api, grants).
func (w *Workspace) privileges(ctx context.Context, path string, query url.Values, me Identity) (held []string, err error) {
	if query == nil {
		query = url.Values{}
	}
	query.Set("max_results", "0")
	seen := map[string]bool{}
	for {
		var a struct {
			Assignments []struct {
				Principal  string `json:"principal"`
				Privileges []struct {
					Privilege string `json:"privilege"`
				} `json:"privileges"`
			} `json:"privilege_assignments"`
			Next string `json:"next_page_token"`
		}
		if err := w.get(ctx, path+"?"+query.Encode(), &a); err != nil {
			return nil, err
		}
		for _, assignment := range a.Assignments {
			if !me.includedIn(assignment.Principal) {
				continue
			}
			for _, p := range assignment.Privileges {
				held = append(held, strings.ReplaceAll(p.Privilege, "_", " "))
			}
		}
		if a.Next == "" {
			return held, nil
		}
		if seen[a.Next] {
			return nil, fmt.Errorf("the workspace gives the same page of %s again and again", path)
		}
		seen[a.Next] = true
		query.Set("page_token", a.Next)
	}
}

// Owns says whether the identity owns a securable. An owner needs no grants on it, and is shown none. An identity that may not
// see the owner does not count as one.
func (w *Workspace) Owns(ctx context.Context, securable, name string, me Identity) bool {
	var a struct{ Owner string }
	return w.get(ctx, "/api/2.1/unity-catalog/"+strings.ToLower(securable)+"s/"+url.PathEscape(name), &a) == nil && me.includedIn(a.Owner)
}

// MayUse says whether the warehouse's permissions let the identity run statements. For most identities, which may not read
// them, the error is ErrNoRight.
func (w *Workspace) MayUse(ctx context.Context, warehouseID string, me Identity) (bool, error) {
	var a struct {
		List []struct {
			User        string `json:"user_name"`
			Service     string `json:"service_principal_name"`
			Group       string `json:"group_name"`
			Permissions []struct {
				Level string `json:"permission_level"`
			} `json:"all_permissions"`
		} `json:"access_control_list"`
	}
	err := w.get(ctx, "/api/2.0/permissions/warehouses/"+url.PathEscape(warehouseID), &a)
	for _, entry := range a.List {
		if !me.includedIn(entry.User) && !me.includedIn(entry.Service) && !me.includedIn(entry.Group) {
			continue
		}
		for _, p := range entry.Permissions {
			if slices.Contains([]string{"CAN_USE", "CAN_MONITOR", "CAN_MANAGE", "IS_OWNER"}, p.Level) {
				return true, nil
			}
		}
	}
	return false, err
}

// get sends a plain REST request: the SDK's services for these would bring the code of the whole platform into the binary.
func (w *Workspace) get(ctx context.Context, path string, into any) error {
	return send(ctx, w.c, http.MethodGet, path, map[string]string{}, nil, nil, into)
}

// send sends one request. Where a workspace refuses it, the error is ErrRefused, ErrNoRight or ErrNotThere.
func send(
	ctx context.Context, c *client.DatabricksClient, method, path string,
	headers map[string]string, query map[string]any, body, into any,
) error {
	headers["Accept"] = "application/json"
	if id := c.Config.WorkspaceID; id != "" {
		headers["X-Databricks-Workspace-Id"] = id // a unified host serves many workspaces
	}
	err := c.Do(ctx, method, path, headers, query, body, into)
	api, ok := errors.AsType[*apierr.APIError](err)
	switch {
	case ctx.Err() != nil:
		return err
	case !ok:
		return faulty(c.Config, err)
	case RefusesToken(api.StatusCode, api.Message),
		api.StatusCode == http.StatusForbidden && invalidToken.MatchString(api.Message):
		return &workspaceError{ErrRefused, api}
	case api.StatusCode == http.StatusForbidden:
		return &workspaceError{ErrNoRight, api}
	case api.StatusCode == http.StatusNotFound:
		return &workspaceError{ErrNotThere, api}
	}
	return faulty(c.Config, err)
}

// workspaceError is ErrRefused, ErrNoRight or ErrNotThere with the workspace's own words.
type workspaceError struct {
	is  error
	api *apierr.APIError
}

func (e *workspaceError) Error() string {
	if e.api.Message == "" {
		return e.is.Error()
	}
	return e.is.Error() + " (" + strings.TrimRight(e.api.Message, ". ") + ")"
}
func (e *workspaceError) Unwrap() error { return e.is }

// Fault is what the workspace refused for.
func (e *workspaceError) Fault() fault.Kind {
	return map[error]fault.Kind{ErrRefused: fault.Credentials, ErrNoRight: fault.Permission, ErrNotThere: fault.NotFound}[e.is]
}
