package mlflowdb

import (
	"database/sql"
	"net/url"
	"strconv"
	"strings"

	"github.com/tracemig/tracemig/internal/fault"
)

// engine is what differs from one database to another.
type engine struct {
	name    string // for people
	file    bool   // it has no server, but a file
	scheme  string // of addresses
	port    string // that servers listen on where nothing else is said
	example string
	// part is what of an address's parameters tells one database from another, as a query with its question mark; or "".
	part func(url.Values) string
	// open makes the connections to a database, and opens none yet.
	open     func(*Address, Options) (*sql.DB, error)
	quotes   string // that a name stands in which is a word of SQL
	numbered bool   // parameters are $1, $2 and so on; else each is a question mark
	version  string // a query for the version of the engine
	// hint, if any, makes the engine walk along an index; %s is its name. hasIndex is a query that counts indexes of that name.
	hint, hasIndex string
	// snapshot is a transaction that reads one state of the database, and keeps no writer waiting.
	snapshot sql.TxOptions
	// transient says whether an error is one after which another try may succeed.
	transient func(error) bool
	// judge says what to do about an error, and what kind of fault it is; both may be empty.
	judge func(*Address, error) (next string, kind fault.Kind)
	// words are an error in a few words.
	words func(error) string
}

func (e *engine) quote(name string) string { return e.quotes + name + e.quotes }

func noPart(url.Values) string { return "" }

// parameters are n parameters of a statement, in their order, of which the first has a number.
func (e *engine) parameters(first, n int) string {
	if !e.numbered {
		return strings.TrimSuffix(strings.Repeat("?,", n), ",")
	}
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(first + i))
	}
	return b.String()
}

// query is a text with its question marks as the engine writes parameters. The text has no other question marks.
func (e *engine) query(text string) string {
	if !e.numbered {
		return text
	}
	var b strings.Builder
	for i := 1; ; i++ {
		before, after, found := strings.Cut(text, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(i))
		text = after
	}
}
