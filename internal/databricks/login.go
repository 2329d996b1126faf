package databricks

import (
	"net/http"
	"regexp"
	"sync"
	"time"

	"github.com/databricks/databricks-sdk-go/config"
)

// Login authenticates requests as a configuration says, and outlives the configuration's tokens.
//
// The SDK renews a token when it is about to end by the clock of this machine. A workspace goes by its own, may
// refuse a token half a minute early, and ends one at will: Renew has the SDK forget the token that it holds.
type Login struct {
	mu      sync.Mutex
	cfg     *config.Config
	renewed time.Time
}

// NewLogin is a login by cfg, which is resolved.
func NewLogin(cfg *config.Config) *Login { return &Login{cfg: cfg} }

// Authenticate adds the credentials to a request.
func (l *Login) Authenticate(r *http.Request) error {
	l.mu.Lock()
	cfg := l.cfg
	l.mu.Unlock()
	return cfg.Authenticate(r)
}

// renewals are this far apart: what is refused right after it is not refused for its age.
const renewals = 5 * time.Second

// Renew has the next request bring a new token, if the configuration can get one. Requests that are refused
// together renew it once.
func (l *Login) Renew() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.renewed) < renewals {
		return
	}
	l.renewed = time.Now()
	l.cfg = forgetful(l.cfg)
}

// forgetful is cfg without the token that it holds. What is wrong with it, the next request is told.
func forgetful(cfg *config.Config) *config.Config {
	fresh, err := cfg.NewWithWorkspaceHost(cfg.Host)
	if err != nil {
		return cfg
	}
	fresh.AccountID, fresh.AzureResourceID = cfg.AccountID, cfg.AzureResourceID
	return fresh
}

// Tokens that have ended, as workspaces were seen to say so with any of the statuses 400, 401 and 403.
var endedToken = regexp.MustCompile(`(?i)(token|jwt)\b[^.]{0,60}\bexpir|expired[^.]{0,20}(token|jwt)|ExpiredJwt`)

// RefusesToken says whether an answer refuses the token, perhaps for its age, and not what it is used for: by its HTTP
// status and its words.
func RefusesToken(status int, said string) bool {
	return status == http.StatusUnauthorized ||
		(status == http.StatusForbidden || status == http.StatusBadRequest) && EndedToken(said)
}

// EndedToken says whether the words of a refusal are about a token that has ended or is about to.
func EndedToken(said string) bool { return endedToken.MatchString(said) }
