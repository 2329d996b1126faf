// Package sample holds a small experiment as a real MLflow server answered for it; see README.md.
package sample

import "embed"

// Files are experiment.json, runs.jsonl and traces.jsonl.
//
//go:embed experiment.json runs.jsonl traces.jsonl
var Files embed.FS
