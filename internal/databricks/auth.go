// Package databricks finds what a migration needs of a workspace: credentials, the trace location an
// experiment is bound to, and a running SQL warehouse.
package databricks

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"

	"github.com/databricks/databricks-sdk-go/config"
	"github.com/databricks/databricks-sdk-go/logger"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/fault"
)

// Options are what the user says about a workspace. Empty ones come from the environment and from .databrickscfg.
type Options struct {
	Host    string
	Profile string
}

// requestsPerSecond is the limit of the SDK without DATABRICKS_RATE_LIMIT. The clients that need one have limiters of their own,
// by the quotas of endpoints, and the SDK's default of 15 would be lower.
const requestsPerSecond = 500

// reachSeconds is for how many seconds the SDK tries to reach a workspace, in place of five minutes: it does so before anything
// is known to be right, even the host's name, and nothing can interrupt it while Load runs.
const reachSeconds = 20

// Load resolves credentials by the unified authentication of the Databricks SDK. The result serves
// REST calls and SQL warehouse alike.
//
// As in the Databricks CLI, a profile named in opts takes precedence over credentials in the environment: only settings that say
// nothing about the identity are then taken from there. Plain http is refused except for hosts of the loopback interface. Load
// does not log in: a wrong token is refused at the first request.
func Load(opts Options) (*config.Config, error) {
	silenceSDK()
	cfg := &config.Config{Host: opts.Host, Profile: opts.Profile, RetryTimeoutSeconds: reachSeconds}
	cfg.Loaders = []config.Loader{config.ConfigAttributes, config.ConfigFile, hostCheck{}}
	if opts.Profile != "" {
		if cfg.ConfigFile == "" {
			cfg.ConfigFile = os.Getenv("DATABRICKS_CONFIG_FILE")
		}
		cfg.Loaders = []config.Loader{config.ConfigFile, neutralEnvironment{}, hostCheck{}}
	}
	if err := cfg.EnsureResolved(); err != nil {
		if h, ok := errors.AsType[*hostError](err); ok {
			if opts.Profile != "" && cfg.Host == "" {
				return nil, advice.With(fault.With(fmt.Errorf("profile %q names no Databricks workspace", opts.Profile), fault.Credentials),
					"Look for it in .databrickscfg, or make it with: databricks auth login")
			}
			return nil, h
		}
		//nolint:staticcheck // Databricks is a name
		return nil, advice.With(fault.With(fmt.Errorf("Databricks credentials: %w", err), fault.Credentials),
			"Name a profile of .databrickscfg with --profile, or set DATABRICKS_HOST and DATABRICKS_TOKEN")
	}
	if cfg.RateLimitPerSecond == 0 {
		cfg.RateLimitPerSecond = requestsPerSecond
	}
	return cfg, nil
}

// neutralEnvironment loads from the environment those settings that are neither credentials nor a choice of credentials.
type neutralEnvironment struct{}

func (neutralEnvironment) Name() string { return "environment" }

func (neutralEnvironment) Configure(cfg *config.Config) error {
	for _, a := range config.ConfigAttributes {
		switch a.Name {
		case "rate_limit", "databricks_cli_path", "debug_truncate_bytes", "warehouse_id":
		default:
			continue
		}
		if v, _ := a.ReadEnv(); v != "" && a.IsZero(cfg) {
			if err := a.SetS(cfg, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// ErrNoWorkspace says that neither options, environment nor .databrickscfg name a workspace.
var ErrNoWorkspace = fault.With(errors.New("no Databricks workspace is named"), fault.Credentials)

// hostCheck is the last loader. It refuses a wrong host before the SDK sends it anything, also one at which nothing listens.
type hostCheck struct{}

func (hostCheck) Name() string { return "host-check" }

func (hostCheck) Configure(cfg *config.Config) error {
	if cfg.Host == "" && cfg.AzureResourceID == "" {
		return &hostError{advice.With(ErrNoWorkspace,
			"Name a profile of .databrickscfg with --profile, or set DATABRICKS_HOST")}
	}
	address := cfg.Host
	if address != "" && !strings.Contains(address, "://") {
		address = "https://" + address // as the SDK takes it
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return nil // the SDK refuses it, since it is not a URL
	}
	if strings.EqualFold(u.Scheme, "http") && !Loopback(u.Hostname()) {
		return &hostError{advice.With(fmt.Errorf("plain http would send the credentials for %s unencrypted", u.Host), "Write https://"+u.Host)}
	}
	return checkListens(u, net.DialTimeout)
}

type hostError struct{ err error }

func (e *hostError) Error() string { return e.err.Error() }
func (e *hostError) Unwrap() error { return e.err }

// Loopback says whether a host name is of the machine itself.
func Loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// silenceSDK switches the SDK's logger off, which writes to standard error. What matters of it is in errors too.
var silenceSDK = sync.OnceFunc(func() { logger.DefaultLogger = silent{} })

type silent struct{}

func (silent) Enabled(context.Context, logger.Level) bool { return false }
func (silent) Tracef(context.Context, string, ...any)     {}
func (silent) Debugf(context.Context, string, ...any)     {}
func (silent) Infof(context.Context, string, ...any)      {}
func (silent) Warnf(context.Context, string, ...any)      {}
func (silent) Errorf(context.Context, string, ...any)     {}
