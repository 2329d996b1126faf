package databricks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/client"
	"github.com/databricks/databricks-sdk-go/config"
	"github.com/databricks/databricks-sdk-go/service/sql"

	"github.com/tracemig/tracemig/internal/retry"
)

// ErrNoWarehouse says that nobody names a SQL warehouse.
var ErrNoWarehouse = errors.New("no SQL warehouse is named. Give --warehouse-id, or set MLFLOW_TRACING_SQL_WAREHOUSE_ID or DATABRICKS_WAREHOUSE_ID")

// WarehouseID is the first one named: by the flag, by MLFLOW_TRACING_SQL_WAREHOUSE_ID, by
// DATABRICKS_WAREHOUSE_ID, by the target experiment's monitoring warehouse (Target.WarehouseTag).
func WarehouseID(flag string, getenv func(string) string, tag string) (string, error) {
	for _, id := range []string{flag, getenv("MLFLOW_TRACING_SQL_WAREHOUSE_ID"), getenv("DATABRICKS_WAREHOUSE_ID"), tag} {
		if id != "" {
			return id, nil
		}
	}
	return "", ErrNoWarehouse
}

const pollInterval = 3 * time.Second

// passing is for what the SDK does not try again by itself: it takes 429, 503 and some network errors.
var passing = retry.Policy{Initial: retry.Default.Initial, Max: 5 * time.Second, Budget: time.Minute}

func passes(err error) bool {
	var api *apierr.APIError
	if errors.As(err, &api) {
		return api.StatusCode >= 500
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
}

// unauthenticated says whether the workspace refuses the credentials, and not what they are used for.
func unauthenticated(err error) bool {
	return errors.Is(err, apierr.ErrUnauthenticated) || err != nil && EndedToken(err.Error())
}

// EnsureRunning starts the warehouse if it is stopped and waits until it runs. progress, which may
// be nil, hears of each new state (STARTING, RUNNING, ...), but not of a warehouse that runs already.
func EnsureRunning(ctx context.Context, cfg *config.Config, id string, progress func(state string)) error {
	return ensureRunning(ctx, cfg, id, progress, pollInterval)
}

func ensureRunning(ctx context.Context, cfg *config.Config, id string, progress func(state string), interval time.Duration) error {
	c, err := client.New(cfg)
	if err != nil {
		return fmt.Errorf("SQL warehouse %s: %w", id, err)
	}
	warehouses := sql.NewWarehouses(c)
	var last sql.State
	refusedBefore := false
	for {
		var r *sql.GetWarehouseResponse
		err := retry.Do(ctx, passing, func(ctx context.Context) (err error) {
			r, err = warehouses.Get(ctx, sql.GetWarehouseRequest{Id: id})
			refused := unauthenticated(err)
			if refused && !refusedBefore {
				refusedBefore = true // a token may end early, and another be there by now
				if c, nerr := client.New(forgetful(cfg)); nerr == nil {
					warehouses = sql.NewWarehouses(c)
				}
				return retry.Again(err, 0)
			}
			if passes(err) {
				err = retry.Again(err, 0)
			}
			return err
		}, nil)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, apierr.ErrNotFound):
			return fmt.Errorf("there is no SQL warehouse %s in %s. Check --warehouse-id", id, cfg.Host)
		case errors.Is(err, apierr.ErrPermissionDenied) && !unauthenticated(err):
			return fmt.Errorf("the workspace refuses SQL warehouse %s: %w. Ask for CAN USE on it", id, err)
		case unauthenticated(err):
			return fmt.Errorf("the workspace does not accept the credentials for SQL warehouse %s: %w. Log in again, or check the token", id, err)
		case err != nil:
			return fmt.Errorf("SQL warehouse %s: read its state: %w. Run again later", id, err)
		}
		if r.State != last && progress != nil && (last != "" || r.State != sql.StateRunning) {
			progress(string(r.State))
		}
		last = r.State
		switch r.State {
		case sql.StateRunning:
			return nil
		case sql.StateDeleted, sql.StateDeleting:
			return fmt.Errorf("SQL warehouse %s is being deleted. Name another one with --warehouse-id", id)
		case sql.StateStopped:
			// Start's own wait is not used: it ends after 20 minutes and says nothing meanwhile.
			if _, err := warehouses.Start(ctx, sql.StartRequest{Id: id}); err != nil {
				return fmt.Errorf("SQL warehouse %s: start it: %w. Ask for CAN USE on it, or start it by hand", id, err)
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
