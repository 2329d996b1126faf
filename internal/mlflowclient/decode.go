package mlflowclient

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tracemig/tracemig/internal/mlflow"
)

// readText reads a string. It takes a number as its text, and null as "".
func readText(dec *jsontext.Decoder, to *string) error {
	tok, err := dec.ReadToken()
	if err != nil {
		return err
	}
	switch tok.Kind() {
	case jsontext.KindString, jsontext.KindNumber:
		*to = tok.String()
	case jsontext.KindNull:
		*to = ""
	default:
		return fmt.Errorf("want a string, got %v", tok.Kind())
	}
	return nil
}

// readTextAt reads the text to which the given names lead in nested objects, and calls found if there is one.
func readTextAt(dec *jsontext.Decoder, names []string, found func(string)) error {
	if len(names) == 0 {
		var text string
		err := readText(dec, &text)
		found(text)
		return err
	}
	return mlflow.ReadObject(dec, func(name string) error {
		if name != names[0] {
			return dec.SkipValue()
		}
		return readTextAt(dec, names[1:], found)
	})
}
