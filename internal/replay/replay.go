// Package replay serves a recorded MLflow experiment over HTTP. Its answers are those of the server from which the experiment
// was recorded, and filters and pages work as there. testdata/sample/README.md says what a recording is.
package replay

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Experiment is a recorded experiment. It is an http.Handler.
type Experiment struct {
	Name       string
	experiment json.RawMessage
	runs       []json.RawMessage
	traces     []trace // by request time
	mux        *http.ServeMux
}

type trace struct {
	Info     json.RawMessage `json:"info"`
	Runs     []string        `json:"runs"`
	Artifact answer          `json:"artifact"`
	Get      *answer         `json:"get"`

	id string
	ms int64
}

type answer struct {
	Status int             `json:"status"`
	Body   json.RawMessage `json:"body"`
}

// Load reads a recording.
func Load(files fs.FS) (*Experiment, error) {
	e := &Experiment{mux: http.NewServeMux()}
	var err error
	if e.experiment, err = fs.ReadFile(files, "experiment.json"); err != nil {
		return nil, err
	}
	var named struct {
		Experiment struct{ Name string } `json:"experiment"`
	}
	if err := json.Unmarshal(e.experiment, &named); err != nil {
		return nil, fmt.Errorf("experiment.json: %w", err)
	}
	e.Name = named.Experiment.Name
	if err := eachLine(files, "runs.jsonl", func(line []byte) error {
		e.runs = append(e.runs, slices.Clone(line))
		return nil
	}); err != nil {
		return nil, err
	}
	if err := eachLine(files, "traces.jsonl", func(line []byte) error {
		var t trace
		if err := json.Unmarshal(line, &t); err != nil {
			return err
		}
		var info struct {
			TraceID     string    `json:"trace_id"`
			RequestTime time.Time `json:"request_time"`
			State       string    `json:"state"`
		}
		if err := json.Unmarshal(t.Info, &info); err != nil {
			return err
		}
		if info.State == "IN_PROGRESS" {
			// It is served as one that began an hour ago, because one that has not ended in a day is taken never to end.
			was := info.RequestTime.Format(time.RFC3339Nano)
			info.RequestTime = time.Now().UTC().Add(-time.Hour).Truncate(time.Millisecond)
			t.Info = bytes.Replace(t.Info, []byte(was), []byte(info.RequestTime.Format(time.RFC3339Nano)), 1)
		}
		t.id, t.ms = info.TraceID, info.RequestTime.UnixMilli()
		e.traces = append(e.traces, t)
		return nil
	}); err != nil {
		return nil, err
	}
	sort.SliceStable(e.traces, func(i, j int) bool { return e.traces[i].ms < e.traces[j].ms })

	e.mux.HandleFunc("GET /api/2.0/mlflow/experiments/get", e.serveExperiment)
	e.mux.HandleFunc("GET /api/2.0/mlflow/experiments/get-by-name", e.serveExperiment)
	e.mux.HandleFunc("POST /api/2.0/mlflow/experiments/search", e.serveExperiments)
	e.mux.HandleFunc("POST /api/2.0/mlflow/runs/search", e.serveRuns)
	e.mux.HandleFunc("POST /api/3.0/mlflow/traces/search", e.serveSearch)
	e.mux.HandleFunc("GET /api/3.0/mlflow/traces/{id}", e.serveInfo)
	e.mux.HandleFunc("GET /api/3.0/mlflow/traces/get", e.serveGet)
	e.mux.HandleFunc("GET /ajax-api/2.0/mlflow/get-trace-artifact", e.serveArtifact)
	e.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fail(w, http.StatusNotFound, "ENDPOINT_NOT_FOUND", "the recording has no answer to "+r.Method+" "+r.URL.Path)
	})
	return e, nil
}

func eachLine(files fs.FS, name string, f func([]byte) error) error {
	b, err := fs.ReadFile(files, name)
	if err != nil {
		return err
	}
	sc := bufio.NewScanner(bytes.NewReader(b))
	sc.Buffer(nil, len(b)+1)
	for n := 1; sc.Scan(); n++ {
		if err := f(sc.Bytes()); err != nil {
			return fmt.Errorf("%s:%d: %w", name, n, err)
		}
	}
	return sc.Err()
}

func (e *Experiment) ServeHTTP(w http.ResponseWriter, r *http.Request) { e.mux.ServeHTTP(w, r) }

func reply(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(body)
}

func fail(w http.ResponseWriter, status int, code, message string) {
	b, _ := json.Marshal(map[string]string{"error_code": code, "message": message})
	reply(w, status, b)
}

func (e *Experiment) serveExperiment(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	var known struct {
		Experiment struct {
			ID string `json:"experiment_id"`
		} `json:"experiment"`
	}
	err := json.Unmarshal(e.experiment, &known)
	if err != nil || q.Get("experiment_id") != known.Experiment.ID && q.Get("experiment_name") != e.Name {
		fail(w, http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "No such experiment in the recording")
		return
	}
	reply(w, http.StatusOK, e.experiment)
}

func (e *Experiment) serveExperiments(w http.ResponseWriter, _ *http.Request) {
	var known struct {
		Experiment json.RawMessage `json:"experiment"`
	}
	_ = json.Unmarshal(e.experiment, &known)
	b, _ := json.Marshal(map[string]any{"experiments": []json.RawMessage{known.Experiment}})
	reply(w, http.StatusOK, b)
}

func (e *Experiment) serveRuns(w http.ResponseWriter, _ *http.Request) {
	b, _ := json.Marshal(map[string]any{"runs": e.runs})
	reply(w, http.StatusOK, b)
}

// clause matches one condition of a search filter.
var clause = regexp.MustCompile(`^\s*(?:trace\.|attributes\.)?(timestamp_ms|run_id)\s*(>=|<=|=|<|>)\s*'?([0-9a-f]+)'?\s*$`)

// matching returns the traces that a search filter selects.
func (e *Experiment) matching(filter string) ([]trace, error) {
	out := slices.Clone(e.traces)
	if strings.TrimSpace(filter) == "" {
		return out, nil
	}
	for c := range strings.SplitSeq(filter, " AND ") {
		m := clause.FindStringSubmatch(c)
		if m == nil {
			return nil, fmt.Errorf("the recording does not know the clause %q", c)
		}
		ms, _ := strconv.ParseInt(m[3], 10, 64)
		out = slices.DeleteFunc(out, func(t trace) bool {
			if m[1] == "run_id" {
				return !slices.Contains(t.Runs, m[3])
			}
			switch m[2] {
			case ">=":
				return t.ms < ms
			case "<=":
				return t.ms > ms
			case "<":
				return t.ms >= ms
			case ">":
				return t.ms <= ms
			}
			return t.ms != ms
		})
	}
	return out, nil
}

// search is what a search for traces asks for.
type search struct {
	Filter     string `json:"filter"`
	MaxResults int    `json:"max_results"`
	PageToken  string `json:"page_token"`
}

// readSearch reads the body of a search. Where it can't, it answers the request and returns false.
func readSearch(w http.ResponseWriter, r *http.Request) (req search, ok bool) {
	req.MaxResults = 100
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		fail(w, http.StatusBadRequest, "INVALID_PARAMETER_VALUE", err.Error())
		return req, false
	}
	return req, true
}

// serveSearch pages as MLflow's own server does, with the base64 text of an offset as token.
func (e *Experiment) serveSearch(w http.ResponseWriter, r *http.Request) {
	req, ok := readSearch(w, r)
	if !ok {
		return
	}
	found, err := e.matching(req.Filter)
	if err != nil {
		fail(w, http.StatusBadRequest, "INVALID_PARAMETER_VALUE", err.Error())
		return
	}
	var from struct {
		Offset int `json:"offset"`
	}
	if req.PageToken != "" {
		b, err := base64.StdEncoding.DecodeString(req.PageToken)
		if err != nil || json.Unmarshal(b, &from) != nil {
			fail(w, http.StatusBadRequest, "INVALID_PARAMETER_VALUE", "Invalid page token")
			return
		}
	}
	found = found[min(from.Offset, len(found)):]
	answer := map[string]any{}
	if req.MaxResults > 0 && len(found) > req.MaxResults {
		found = found[:req.MaxResults]
		next, _ := json.Marshal(map[string]int{"offset": from.Offset + req.MaxResults})
		answer["next_page_token"] = base64.StdEncoding.EncodeToString(next)
	}
	infos := make([]json.RawMessage, len(found))
	for i, t := range found {
		infos[i] = t.Info
	}
	if len(infos) > 0 {
		answer["traces"] = infos
	}
	b, _ := json.Marshal(answer)
	reply(w, http.StatusOK, b)
}

// find returns the trace with that ID. Where there is none, it answers the request and returns nil.
func (e *Experiment) find(w http.ResponseWriter, id string) *trace {
	for i := range e.traces {
		if e.traces[i].id == id {
			return &e.traces[i]
		}
	}
	fail(w, http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "Trace with ID "+id+" not found")
	return nil
}

func (e *Experiment) serveInfo(w http.ResponseWriter, r *http.Request) {
	if t := e.find(w, r.PathValue("id")); t != nil {
		b, _ := json.Marshal(map[string]any{"trace": map[string]any{"trace_info": t.Info}})
		reply(w, http.StatusOK, b)
	}
}

func (e *Experiment) serveGet(w http.ResponseWriter, r *http.Request) {
	t := e.find(w, r.URL.Query().Get("trace_id"))
	switch {
	case t == nil:
	case t.Get == nil:
		fail(w, http.StatusInternalServerError, "INTERNAL_ERROR", "the recording holds this trace's artifact only")
	default:
		reply(w, t.Get.Status, t.Get.Body)
	}
}

func (e *Experiment) serveArtifact(w http.ResponseWriter, r *http.Request) {
	t := e.find(w, r.URL.Query().Get("request_id"))
	if t == nil {
		return
	}
	var text string
	if json.Unmarshal(t.Artifact.Body, &text) == nil {
		// The answer was the file traces.json itself.
		w.Header().Set("Content-Type", "application/octet-stream")
		w.WriteHeader(t.Artifact.Status)
		w.Write([]byte(text))
		return
	}
	reply(w, t.Artifact.Status, t.Artifact.Body)
}
