package databricks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/client"
	"github.com/databricks/databricks-sdk-go/config"
	"github.com/databricks/databricks-sdk-go/service/sql"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/fault"
	"github.com/tracemig/tracemig/internal/retry"
)

// ErrNoWarehouse says that nothing names a SQL warehouse.
var ErrNoWarehouse = advice.With(errors.New("no SQL warehouse is named"),
	"Give --warehouse-id, or set MLFLOW_TRACING_SQL_WAREHOUSE_ID or DATABRICKS_WAREHOUSE_ID")

// WarehouseID is the first ID that is given: by the flag, by MLFLOW_TRACING_SQL_WAREHOUSE_ID, by DATABRICKS_WAREHOUSE_ID, by
// the target experiment's monitoring warehouse (Target.WarehouseTag).
func WarehouseID(flag string, getenv func(string) string, tag string) (string, error) {
	for _, id := range []string{flag, getenv("MLFLOW_TRACING_SQL_WAREHOUSE_ID"), getenv("DATABRICKS_WAREHOUSE_ID"), tag} {
		if id != "" {
			return id, nil
		}
	}
	return "", ErrNoWarehouse
}

// Warehouse is what the workspace says of a SQL warehouse.
type Warehouse struct {
	Name       string `json:"name"`
	State      string `json:"state"` // RUNNING, STOPPED, ...
	Type       string `json:"warehouse_type"`
	Size       string `json:"cluster_size"`
	Serverless bool   `json:"enable_serverless_compute"`
}

// Kind describes the kind of the warehouse, such as "PRO serverless, Small".
func (h Warehouse) Kind() string {
	kind := cmp.Or(h.Type, "unknown")
	if h.Serverless {
		kind += " serverless"
	}
	if h.Size != "" {
		kind += ", " + h.Size
	}
	return kind
}

// Warehouse asks for a SQL warehouse.
func (w *Workspace) Warehouse(ctx context.Context, id string) (Warehouse, error) {
	var h Warehouse
	err := w.get(ctx, "/api/2.0/sql/warehouses/"+url.PathEscape(id), &h)
	return h, err
}

const pollInterval = 3 * time.Second

// EnsureRunning starts the warehouse if it is stopped and waits until it runs. progress, which may be nil, is called for each
// new state (STARTING, RUNNING, ...), but not for a warehouse that runs already.
func EnsureRunning(ctx context.Context, cfg *config.Config, id string, progress func(state string)) error {
	return ensureRunning(ctx, cfg, id, progress, pollInterval)
}

func ensureRunning(ctx context.Context, cfg *config.Config, id string, progress func(state string), interval time.Duration) error {
	c, err := client.New(cfg)
	if err != nil {
		return fmt.Errorf("SQL warehouse %s: %w", id, err)
	}
	h := &warehouseClient{cfg: cfg, id: id, api: sql.NewWarehouses(c)}
	var last sql.State
	for {
		state, err := h.state(ctx)
		if err != nil {
			return err
		}
		if state != last && progress != nil && (last != "" || state != sql.StateRunning) {
			progress(string(state))
		}
		last = state
		switch state {
		case sql.StateRunning:
			return nil
		case sql.StateDeleted, sql.StateDeleting:
			return advice.With(fmt.Errorf("SQL warehouse %s is being deleted", id), "Name another one with --warehouse-id")
		case sql.StateStopped:
			// The wait of the SDK's Start is not used: it ends after 20 minutes and says nothing meanwhile.
			if _, err := h.api.Start(ctx, sql.StartRequest{Id: id}); err != nil {
				return advice.With(fmt.Errorf("SQL warehouse %s: start it: %w", id, faulty(cfg, err)),
					"Ask for CAN USE on it, or start it by hand")
			}
		}
		t := time.NewTimer(interval)
		select {
		case <-ctx.Done():
			t.Stop()
			return context.Cause(ctx)
		case <-t.C:
		}
	}
}

// warehouseClient asks for the state of a warehouse.
type warehouseClient struct {
	cfg     *config.Config
	id      string
	api     *sql.WarehousesAPI
	refused bool // the credentials were refused once
}

// state is the warehouse's state. The error says what to do.
func (h *warehouseClient) state(ctx context.Context) (sql.State, error) {
	var state sql.State
	err := retry.Do(ctx, transientPolicy, func(ctx context.Context) error {
		r, err := h.api.Get(ctx, sql.GetWarehouseRequest{Id: h.id})
		switch {
		case err == nil:
			state = r.State
			return nil
		case unauthenticated(err) && !h.refused:
			h.refused = true
			h.forgetToken()
			return retry.Again(err, 0)
		case isTransient(err):
			return retry.Again(err, 0)
		}
		return err
	}, nil)
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case errors.Is(err, apierr.ErrNotFound):
		return "", advice.With(fault.With(fmt.Errorf("there is no SQL warehouse %s in %s", h.id, h.cfg.Host), fault.NotFound),
			"Check --warehouse-id")
	case unauthenticated(err):
		return "", advice.With(fmt.Errorf("the workspace does not accept the credentials for SQL warehouse %s: %w", h.id, faulty(h.cfg, err)),
			"Log in again, or check the token")
	case errors.Is(err, apierr.ErrPermissionDenied):
		return "", advice.With(fmt.Errorf("the workspace refuses SQL warehouse %s: %w", h.id, faulty(h.cfg, err)),
			"Ask for CAN USE on it")
	case err != nil:
		return "", advice.With(fmt.Errorf("SQL warehouse %s: read its state: %w", h.id, faulty(h.cfg, err)), "Run again later")
	}
	return state, nil
}

// forgetToken has the next request bring a new token: one may end early, and another be there by now.
func (h *warehouseClient) forgetToken() {
	if c, err := client.New(withoutToken(h.cfg)); err == nil {
		h.api = sql.NewWarehouses(c)
	}
}
