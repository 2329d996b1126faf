package warehouse

import (
	"context"
	"fmt"
	"regexp"
	"sync"
	"sync/atomic"

	"github.com/databricks/databricks-sql-go/driverctx"

	"github.com/tracemig/tracemig/internal/target"
)

// marks are by what the query history (system.query.history) tells which run sent a statement: query tags, which it keeps in
// a column of their own, and a comment at the end of each statement that writes rows. The history of a workspace may hide
// the texts of statements, or know no tags, so each stands in for the other.
type marks struct {
	untagged atomic.Bool // the warehouse has refused query tags

	mu      sync.Mutex
	run     target.Mark // zero while no run is named
	commits int         // of the run
}

// SetMark names the run whose statements are sent from now on.
func (w *Warehouse) SetMark(m target.Mark) {
	w.marks.mu.Lock()
	defer w.marks.mu.Unlock()
	w.marks.run, w.marks.commits = m, 0
}

// TagsRefused says whether the warehouse has refused query tags.
func (w *Warehouse) TagsRefused() bool { return w.marks.untagged.Load() }

// The names of the query tags. A workspace's other tools have tags too, and a name must not hold a dot or a hyphen.
const (
	tagVersion = "tracemig_version"
	tagRun     = "tracemig_run_id"
)

// tagged is ctx with the query tags of the run for a statement. They go with the statement, since the pool's sessions may
// outlive a run.
func (m *marks) tagged(ctx context.Context) (_ context.Context, tagged bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.run == (target.Mark{}) || m.untagged.Load() {
		return ctx, false
	}
	return driverctx.NewContextWithQueryTags(ctx, map[string]string{tagVersion: m.run.Version, tagRun: m.run.RunID}), true
}

// refuseTags says whether err is of a statement that was refused for its query tags. From then on none are sent.
func (m *marks) refuseTags(err error) bool {
	refused := reportOf(err).meaning() == noSetting
	if refused {
		m.untagged.Store(true)
	}
	return refused
}

var notInComment = regexp.MustCompile(`[^0-9A-Za-z._+-]+`)

// comment is the end of a statement that writes rows. It names the run and which of its commits the statement belongs to.
// All tries of a commit have the same.
func (m *marks) comment() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.run == (target.Mark{}) {
		return ""
	}
	m.commits++
	return fmt.Sprintf("\n/* tracemig %s run %s, write %d */",
		notInComment.ReplaceAllString(m.run.Version, "_"), notInComment.ReplaceAllString(m.run.RunID, "_"), m.commits)
}
