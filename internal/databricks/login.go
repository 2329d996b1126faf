package databricks

import (
	"net/http"
	"regexp"
	"sync"
	"time"

	"github.com/databricks/databricks-sdk-go/config"
)

// Login authenticates requests as a configuration says, also after the end of the configuration's tokens.
//
// The SDK renews a token when it is about to end by the clock of this machine. A workspace goes by its own clock, may refuse a
// token half a minute early, and may end one at any time: Renew has the SDK forget the token that it holds.
type Login struct {
	mu      sync.Mutex
	cfg     *config.Config
	renewed time.Time
}

// NewLogin is a login by cfg, which has been resolved.
func NewLogin(cfg *config.Config) *Login { return &Login{cfg: cfg} }

// Authenticate adds the credentials to a request.
func (l *Login) Authenticate(r *http.Request) error {
	l.mu.Lock()
	cfg := l.cfg
	l.mu.Unlock()
	return cfg.Authenticate(r)
}

// renewInterval is the least time between two renewals. What a workspace refuses sooner, it does not refuse for its age.
const renewInterval = 5 * time.Second

// Renew has the next request bring a new token, if the configuration can get one. When several requests are refused at the
// same time, they renew it once.
func (l *Login) Renew() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.renewed) < renewInterval {
		return
	}
	l.renewed = time.Now()
	l.cfg = withoutToken(l.cfg)
}

// withoutToken is cfg without the token that it holds. If that can't be made it is cfg, and the next request fails as before.
func withoutToken(cfg *config.Config) *config.Config {
	fresh, err := cfg.NewWithWorkspaceHost(cfg.Host)
	if err != nil {
		return cfg
	}
	fresh.AccountID, fresh.AzureResourceID = cfg.AccountID, cfg.AzureResourceID
	return fresh
}

// endedToken matches the words by which workspaces were seen to say, with status 400, 401 or 403, that a token has ended.
var endedToken = regexp.MustCompile(`(?i)(token|jwt)\b[^.]{0,60}\bexpir|expired[^.]{0,20}(token|jwt)|ExpiredJwt`)

// RefusesToken says, by the HTTP status and the message of an answer, whether it refuses the token, perhaps for its age, and not
// what the token is used for.
func RefusesToken(status int, message string) bool {
	return status == http.StatusUnauthorized ||
		(status == http.StatusForbidden || status == http.StatusBadRequest) && EndedToken(message)
}

// EndedToken says whether the message of a refusal is about a token that has ended or is about to end.
func EndedToken(message string) bool { return endedToken.MatchString(message) }
