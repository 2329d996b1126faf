package uctables

import (
	"strings"
	"testing"
)

// Each column of a table that is written has a comment, and each comment a column. None needs quoting.
func TestComments(t *testing.T) {
	for _, table := range Tables {
		if table.About() == "" {
			t.Errorf("%s has no comment", table.Suffix)
		}
		texts := []string{table.About()}
		for _, c := range table.Columns {
			if text := c.About(table); text != "" {
				texts = append(texts, text)
			} else if columns[table.Suffix] != nil {
				t.Errorf("column %s of %s has no comment", c.Name, table.Suffix)
			}
		}
		for name := range columns[table.Suffix] {
			if !table.Has(name) {
				t.Errorf("%s has a comment for column %s, and no such column", table.Suffix, name)
			}
		}
		for _, text := range texts {
			if strings.ContainsAny(text, "'\"\\$") || len(text) > 200 {
				t.Errorf("the comment %q needs quoting or is long", text)
			}
		}
	}
}
