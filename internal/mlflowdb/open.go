package mlflowdb

import (
	"context"
	"errors"
)

// Source is a database that was opened. It is a source.Opened.
type Source struct {
	address *Address
	opts    Options
}

// Open connects to a database, and makes sure that its tables are of a form that is known.
func Open(_ context.Context, a *Address, opts Options) (*Source, error) {
	return &Source{a, opts}, errors.New("to come")
}
