package databricks

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func newTestWorkspace(t *testing.T, routes map[string]http.HandlerFunc) *Workspace {
	t.Helper()
	w, err := NewWorkspace(configFor(workspace(t, routes)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { http.DefaultTransport.(*http.Transport).CloseIdleConnections() })
	return w
}

func TestMe(t *testing.T) {
	const path = "GET /api/2.0/preview/scim/v2/Me"
	w := newTestWorkspace(t, map[string]http.HandlerFunc{
		path: answer(200, `{"userName":"ann@example.com","groups":[{"display":"team"},{"display":"users"}]}`),
	})
	me, err := w.Me(t.Context())
	if diff := cmp.Diff(Identity{"ann@example.com", []string{"team", "users"}, "pat"}, me); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for body, want := range map[string]struct {
		status int
		is     error
	}{
		`{"error_code":401,"message":"Credential was not sent or was of an unsupported type for this API."}`: {401, ErrRefused},
		`{"error_code":403,"message":"Invalid access token."}`:                                               {403, ErrRefused},
		`{"error_code":"403","message":"The access token expired."}`:                                         {403, ErrRefused},
		`{"error_code":"PERMISSION_DENIED","message":"Provided OAuth token does not have required scopes"}`:  {403, ErrNoRight},
		`{"error_code":"ENDPOINT_NOT_FOUND","message":"No API found"}`:                                       {404, ErrNotThere},
	} {
		w := newTestWorkspace(t, map[string]http.HandlerFunc{path: answer(want.status, body)})
		if _, err := w.Me(t.Context()); !errors.Is(err, want.is) {
			t.Errorf("%s: error %v, want %v", body, err, want.is)
		}
	}
}

func TestPrivileges(t *testing.T) {
	me := Identity{Name: "ann@example.com", Groups: []string{"team"}}
	pages := map[string]string{
		"": `{"privilege_assignments":[
		{"principal":"Ann@example.com","privileges":[{"privilege":"USE_SCHEMA"}]},
		{"principal":"team","privileges":[{"privilege":"SELECT","inherited_from_type":"CATALOG"}]}],"next_page_token":"2"}`,
		"2": `{"next_page_token":"3"}`,
		"3": `{"privilege_assignments":[
		{"principal":"others","privileges":[{"privilege":"MODIFY"}]},
		{"principal":"account users","privileges":[{"privilege":"ALL_PRIVILEGES"}]}]}`,
	}
	routes := map[string]http.HandlerFunc{
		"GET /api/2.1/unity-catalog/effective-permissions/schema/main.agents": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("max_results") != "0" {
				answer(400, `{"error_code":"INVALID_PARAMETER_VALUE"}`)(w, r)
				return
			}
			answer(200, pages[r.URL.Query().Get("page_token")])(w, r)
		},
		"GET /api/2.1/unity-catalog/effective-permissions/schema/endless": answer(200, `{"next_page_token":"x"}`),
		"GET /api/2.1/unity-catalog/effective-permissions/table/main.a b.c%2Fd": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("principal") != me.Name {
				answer(403, `{"error_code":"PERMISSION_DENIED","message":"not an owner"}`)(w, r)
				return
			}
			answer(200, `{"privilege_assignments":[{"principal":"ann@example.com","privileges":[{"privilege":"MODIFY"}]}]}`)(w, r)
		},
		"GET /api/2.1/unity-catalog/effective-permissions/table/gone": answer(404, `{"error_code":"TABLE_DOES_NOT_EXIST"}`),
		"GET /api/2.1/unity-catalog/tables/mine":                      answer(200, `{"owner":"team"}`),
		"GET /api/2.1/unity-catalog/tables/theirs":                    answer(200, `{"owner":"others"}`),
	}
	w := newTestWorkspace(t, routes)
	held, complete, err := w.Privileges(t.Context(), "SCHEMA", "main.agents", me)
	if diff := cmp.Diff([]string{"USE SCHEMA", "SELECT", "ALL PRIVILEGES"}, held); diff != "" || !complete || err != nil {
		t.Errorf("complete %t, want true; error %v (-want +got):\n%s", complete, err, diff)
	}
	held, complete, err = w.Privileges(t.Context(), "TABLE", "main.a b.c/d", me)
	if diff := cmp.Diff([]string{"MODIFY"}, held); diff != "" || complete || err != nil {
		t.Errorf("complete %t, want false; error %v (-want +got):\n%s", complete, err, diff)
	}
	if _, _, err = w.Privileges(t.Context(), "SCHEMA", "endless", me); err == nil || !strings.Contains(err.Error(), "the same page") {
		t.Errorf("error %v, want one about the same page", err)
	}
	if _, _, err = w.Privileges(t.Context(), "TABLE", "gone", me); !errors.Is(err, ErrNotThere) {
		t.Errorf("error %v, want %v", err, ErrNotThere)
	}
	for name, want := range map[string]bool{"mine": true, "theirs": false, "gone": false} {
		if owns := w.Owns(t.Context(), "TABLE", name, me); owns != want {
			t.Errorf("owns %s: %t, want %t", name, owns, want)
		}
	}
}

func TestMayUse(t *testing.T) {
	me := Identity{Name: "ann@example.com", Groups: []string{"team"}}
	acl := func(who, level string) http.HandlerFunc {
		return answer(200, `{"access_control_list":[{"user_name":"bob@example.com","all_permissions":[{"permission_level":"IS_OWNER"}]},
			{`+who+`,"all_permissions":[{"permission_level":"CAN_VIEW"},{"permission_level":"`+level+`"}]}]}`)
	}
	w := newTestWorkspace(t, map[string]http.HandlerFunc{
		"GET /api/2.0/permissions/warehouses/user":  acl(`"user_name":"ann@example.com"`, "CAN_USE"),
		"GET /api/2.0/permissions/warehouses/group": acl(`"group_name":"team"`, "CAN_MANAGE"),
		"GET /api/2.0/permissions/warehouses/view":  acl(`"group_name":"team"`, "CAN_VIEW"),
		"GET /api/2.0/permissions/warehouses/other": acl(`"group_name":"others"`, "CAN_USE"),
		"GET /api/2.0/permissions/warehouses/none":  answer(403, `{"error_code":"PERMISSION_DENIED","message":"no"}`),
	})
	for id, want := range map[string]bool{"user": true, "group": true, "view": false, "other": false} {
		if may, err := w.MayUse(t.Context(), id, me); may != want || err != nil {
			t.Errorf("%s: %t, error %v; want %t", id, may, err, want)
		}
	}
	if _, err := w.MayUse(t.Context(), "none", me); !errors.Is(err, ErrNoRight) || !strings.Contains(err.Error(), "(no)") {
		t.Errorf("error %v, want %v (no)", err, ErrNoRight)
	}
}

func TestWarehouse(t *testing.T) {
	w := newTestWorkspace(t, map[string]http.HandlerFunc{
		"GET /api/2.0/sql/warehouses/full": answer(200, `{"name":"main","state":"STOPPED","warehouse_type":"PRO","cluster_size":"Small",
			"enable_serverless_compute":true}`),
		"GET /api/2.0/sql/warehouses/bare": answer(200, `{"name":"main","state":"RUNNING"}`),
	})
	for id, want := range map[string]struct {
		warehouse Warehouse
		kind      string
	}{
		"full": {Warehouse{Name: "main", State: "STOPPED", Type: "PRO", Size: "Small", Serverless: true}, "PRO serverless, Small"},
		"bare": {Warehouse{Name: "main", State: "RUNNING"}, "unknown"},
	} {
		got, err := w.Warehouse(t.Context(), id)
		if got != want.warehouse || got.Kind() != want.kind || err != nil {
			t.Errorf("%s: %+v of kind %q, error %v; want %+v of kind %q", id, got, got.Kind(), err, want.warehouse, want.kind)
		}
	}
	if _, err := w.Warehouse(t.Context(), "none"); !errors.Is(err, ErrNotThere) {
		t.Errorf("error %v, want %v", err, ErrNotThere)
	}
}
