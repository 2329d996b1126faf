package target

import "encoding/json"

// Mark names the run that makes a commit. It stands beside the data, so that whoever looks at a version of a table years
// later sees what wrote it.
type Mark struct {
	Version string // of tracemig
	RunID   string
}

// JSON is the mark as one JSON object, always with the same keys in the same order.
func (m Mark) JSON() string {
	text, _ := json.Marshal(struct { // three texts, so there is no error
		Tool    string `json:"tool"`
		Version string `json:"version"`
		RunID   string `json:"run_id"`
	}{"tracemig", m.Version, m.RunID})
	return string(text)
}
