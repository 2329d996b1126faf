package main

import (
	"encoding/json"
	"fmt"
)

// scriptOutput is what a script of testdata/bench prints about its own run.
type scriptOutput struct {
	Spans        int
	Seconds      float64
	WriteSeconds float64 `json:"write_seconds"`
}

// parseScriptOutput reads what a script printed.
func parseScriptOutput(r result) (own scriptOutput, err error) {
	if err := json.Unmarshal(r.stdout, &own); err != nil {
		return own, fmt.Errorf("the script printed %q: %w", r.stdout, err)
	}
	return own, nil
}
