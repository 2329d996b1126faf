package warehouse

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/tracemig/tracemig/internal/advice"
	"github.com/tracemig/tracemig/internal/databricks"
	"github.com/tracemig/tracemig/internal/grants"
	"github.com/tracemig/tracemig/internal/tablesql"
	"github.com/tracemig/tracemig/internal/uctables"
)

// abandonedAfter is the age from which on the files of other owners are taken to be left over.
const abandonedAfter = 24 * time.Hour

// staging puts the rows of statements into files of a volume. Each statement has a folder <volume>/tracemig/<owner>-<random>,
// which is removed with its files after the statement.
type staging struct {
	volume   uctables.Volume
	files    *databricks.Files
	owner    string
	removals sync.WaitGroup
}

var (
	ownerName  = regexp.MustCompile(`^[0-9a-f]{16}$`)
	folderName = regexp.MustCompile(`^[0-9a-f]{16}-[0-9a-f]{16}$`)
)

// Stage has large batches from now on go by way of files in Options.Volume. Without one it does nothing. owner is 16
// hexadecimal digits that no other process uses at the same time: files in the volume under that name were left over by an
// earlier run, and are removed. So are those of other owners that are a day old. Call it before the first commit.
func (w *Warehouse) Stage(ctx context.Context, owner string) error {
	v := w.opts.Volume
	if v == nil {
		return nil
	}
	if !ownerName.MatchString(owner) {
		return fmt.Errorf("%q can't be the owner of files in a volume. "+
			"Move the checkpoint away and run again: it is rebuilt from the target", owner)
	}
	if err := v.Validate(); err != nil {
		return fmt.Errorf("volume %s: %w", v.Path(), err)
	}
	files, err := databricks.NewFiles(w.opts.Config, w.policy, w.opts.Waiting)
	if err != nil {
		return fmt.Errorf("volume %s: %w", v.Path(), err)
	}
	files.Waits = w.opts.Waits
	s := &staging{volume: *v, files: files, owner: owner}
	if err := s.findVolume(ctx, w.opts.MakeVolume); err != nil {
		return err
	}
	if err := s.removeLeftovers(ctx, time.Now(), w.warn); err != nil {
		return s.explained("remove what earlier runs left there", err)
	}
	if w.staging != nil {
		w.staging.removals.Wait()
	}
	w.staging = s
	return nil
}

// findVolume fails where the volume is not there. With create it makes it then.
func (s *staging) findVolume(ctx context.Context, create bool) error {
	v := s.volume
	exists, err := s.files.HasVolume(ctx, v.FullName())
	switch {
	case err != nil:
		return s.explained("look for it", err)
	case exists:
		return nil
	case !create:
		return s.explained("look for it", databricks.ErrNotThere)
	}
	if err := s.files.CreateVolume(ctx, v.Catalog, v.Schema, v.Name); err != nil {
		return advice.With(fmt.Errorf("make volume %s: %w", v.FullName(), err),
			"Have the owner of the schema run: "+grants.ToMakeVolume(v).Statement("<you>"))
	}
	return nil
}

// explained says what to do about a volume that can't be used.
func (s *staging) explained(what string, err error) error {
	v := s.volume
	next := "Run again later, or without staging"
	switch {
	case errors.Is(err, databricks.ErrNotThere):
		next = "Check its name, or make it: " + tablesql.CreateVolume(v)
	case errors.Is(err, databricks.ErrNoRight):
		next = "Have its owner run: " + grants.ToStage(v).Statement("<you>")
	case errors.Is(err, databricks.ErrRefused):
		next = "Log in again, or check the token"
	}
	return advice.With(fmt.Errorf("volume %s: %s: %w", v.Path(), what, err), next)
}

// removeLeftovers removes the folders that earlier runs have left over.
func (s *staging) removeLeftovers(ctx context.Context, now time.Time, warn func(error)) error {
	root := s.volume.StagedFolder()
	entries, err := s.files.List(ctx, root)
	if errors.Is(err, databricks.ErrNotThere) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Folder || !folderName.MatchString(e.Name) {
			continue // not made by tracemig
		}
		if err := s.removeLeftover(ctx, root+"/"+e.Name, e, now, warn); err != nil {
			return err
		}
	}
	return nil
}

// removeLeftover removes a folder that belongs to the owner, or that nobody has written to for a day. A folder that can't be
// removed does no harm, so warn is told of it, unless the cause would hinder writing too.
func (s *staging) removeLeftover(ctx context.Context, folder string, e databricks.Entry, now time.Time, warn func(error)) error {
	files, err := s.files.List(ctx, folder)
	if errors.Is(err, databricks.ErrNotThere) {
		return nil // another run has just removed it
	}
	if err != nil {
		return err
	}
	var names []string
	modified := e.ModifiedMs
	for _, f := range files {
		names = append(names, f.Name)
		modified = max(modified, f.ModifiedMs)
	}
	abandoned := modified > 0 && now.Sub(time.UnixMilli(modified)) > abandonedAfter
	if !strings.HasPrefix(e.Name, s.owner+"-") && !abandoned {
		return nil
	}
	err = s.files.Remove(ctx, folder, names...)
	if errors.Is(err, databricks.ErrNoRight) || errors.Is(err, databricks.ErrRefused) || ctx.Err() != nil {
		return err
	}
	if err != nil {
		warn(fmt.Errorf("%s, which an earlier run has left there, can't be removed: %w. Remove it by hand", folder, err))
	}
	return nil
}

func (w *Warehouse) warn(err error) {
	if w.opts.Warn != nil {
		w.opts.Warn(err)
	}
}

// grants are the statements that let somebody write.
func (w *Warehouse) grants() (statements []string) {
	for _, g := range w.needs {
		statements = append(statements, g.Statement("<you>"))
	}
	return statements
}
