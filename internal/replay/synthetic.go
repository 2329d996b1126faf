package replay

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Synthetic is an experiment of any number of similar traces, which are made when they are asked for. It is an http.Handler
// that answers as MLflow's server does, with the latency and the quotas of a slower source if wanted. Set its fields
// before the first request.
type Synthetic struct {
	Traces     int // a millisecond apart
	Spans      int // of each trace
	SpanBytes  int // of each span's JSON, about
	Large      int // index of one trace of LargeBytes more; -1 for none
	LargeBytes int

	Latency           time.Duration // of every answer
	SearchPerSecond   float64       // more are answered 429; 0 for no quota
	DownloadPerSecond float64

	Refused  atomic.Int64 // requests over a quota
	search   *rate.Limiter
	download *rate.Limiter
	parts    [][]byte // of a spans document, between the places that differ
	marks    []byte   // which value belongs at each place
	mux      *http.ServeMux
}

// SyntheticID is the ID of the experiment.
const SyntheticID = "1"

// syntheticEpoch is the request time of the first trace, in milliseconds since the Unix epoch.
const syntheticEpoch = 1_760_000_000_000

// Handler prepares the answers, and returns s.
func (s *Synthetic) Handler() http.Handler {
	limiter := func(perSecond float64) *rate.Limiter {
		if perSecond == 0 {
			return rate.NewLimiter(rate.Inf, 0)
		}
		return rate.NewLimiter(rate.Limit(perSecond), max(int(perSecond/10), 1))
	}
	s.search, s.download = limiter(s.SearchPerSecond), limiter(s.DownloadPerSecond)
	s.compile()
	s.mux = http.NewServeMux()
	experiment := func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, []byte(`{"experiment":{"experiment_id":"`+SyntheticID+`","name":"/synthetic","lifecycle_stage":"active"}}`))
	}
	s.mux.HandleFunc("GET /api/2.0/mlflow/experiments/get", experiment)
	s.mux.HandleFunc("GET /api/2.0/mlflow/experiments/get-by-name", experiment)
	s.mux.HandleFunc("POST /api/2.0/mlflow/runs/search", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, []byte(`{}`))
	})
	s.mux.HandleFunc("POST /api/3.0/mlflow/traces/search", s.serveSearch)
	s.mux.HandleFunc("GET /ajax-api/2.0/mlflow/get-trace-artifact", func(w http.ResponseWriter, r *http.Request) {
		s.serveSpans(w, r.URL.Query().Get("request_id"))
	})
	// MLflow's own client reads the same document here.
	s.mux.HandleFunc("GET /api/2.0/mlflow-artifacts/artifacts/{trace}/traces.json", func(w http.ResponseWriter, r *http.Request) {
		s.serveSpans(w, r.PathValue("trace"))
	})
	return s
}

func (s *Synthetic) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	time.Sleep(s.Latency)
	quota := s.download
	if r.Method == http.MethodPost {
		quota = s.search
	}
	if !quota.Allow() {
		s.Refused.Add(1)
		w.Header().Set("Retry-After", "1")
		fail(w, http.StatusTooManyRequests, "REQUEST_LIMIT_EXCEEDED", "over the quota")
		return
	}
	s.mux.ServeHTTP(w, r)
}

// id is the OTEL trace ID of trace i.
func id(i int) (b [16]byte) {
	binary.BigEndian.PutUint64(b[:], 0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(b[8:], uint64(i)+1)
	return b
}

func traceID(i int) string {
	b := id(i)
	return "tr-" + hex.EncodeToString(b[:])
}

// index is the number of the trace with an ID, or -1.
func (s *Synthetic) index(traceID string) int {
	if len(traceID) != 35 {
		return -1
	}
	n, err := strconv.ParseUint(traceID[19:], 16, 64)
	if err != nil || n == 0 || n > uint64(s.Traces) {
		return -1
	}
	return int(n) - 1
}

func (s *Synthetic) serveSearch(w http.ResponseWriter, r *http.Request) {
	req, ok := readSearch(w, r)
	if !ok {
		return
	}
	from, to := 0, s.Traces
	if strings.TrimSpace(req.Filter) != "" {
		for c := range strings.SplitSeq(req.Filter, " AND ") {
			m := clause.FindStringSubmatch(c)
			if m == nil || m[1] != "timestamp_ms" {
				fail(w, http.StatusBadRequest, "INVALID_PARAMETER_VALUE", "unknown clause "+c)
				return
			}
			ms, _ := strconv.ParseInt(m[3], 10, 64)
			at := int(ms - syntheticEpoch)
			switch m[2] {
			case ">=":
				from = max(from, at)
			case ">":
				from = max(from, at+1)
			case "<":
				to = min(to, at)
			case "<=":
				to = min(to, at+1)
			default:
				from, to = max(from, at), min(to, at+1)
			}
		}
	}
	if req.PageToken != "" {
		offset, _ := strconv.Atoi(req.PageToken)
		from += offset
	}
	end := min(to, from+req.MaxResults)
	b := []byte(`{"traces":[`)
	for i := from; i < end; i++ {
		if i > from {
			b = append(b, ',')
		}
		b = s.info(b, i)
	}
	b = append(b, ']')
	if end < to {
		offset, _ := strconv.Atoi(req.PageToken)
		b = fmt.Appendf(b, `,"next_page_token":"%d"`, offset+end-from)
	}
	reply(w, http.StatusOK, append(b, '}'))
}

// info appends the entry of trace i in a listing.
func (s *Synthetic) info(b []byte, i int) []byte {
	tr := traceID(i)
	at := time.UnixMilli(syntheticEpoch + int64(i)).UTC().Format("2006-01-02T15:04:05.000Z")
	return fmt.Appendf(b, `{"trace_id":%q,"trace_location":{"type":"MLFLOW_EXPERIMENT","mlflow_experiment":{"experiment_id":"1"}},`+
		`"request_time":%q,"execution_duration":"0.040s","state":"OK",`+
		`"trace_metadata":{"mlflow.user":"ann","mlflow.source.name":"agent.py","mlflow.trace_schema.version":"3","mlflow.trace.sizeBytes":"%d"},`+
		`"tags":{"mlflow.traceName":"support-agent","team":"support","mlflow.artifactLocation":"mlflow-artifacts:/%s"},`+
		`"assessments":[{"assessment_id":"a-%s","assessment_name":"helpful","trace_id":%q,`+
		`"source":{"source_type":"HUMAN","source_id":"bob"},"create_time":%q,"last_update_time":%q,"feedback":{"value":true},"valid":true}]}`,
		tr, at, s.size(i), tr, tr[3:], tr, at, at)
}

func (s *Synthetic) size(i int) int {
	n := s.Spans * s.SpanBytes
	if i == s.Large {
		n += s.LargeBytes
	}
	return n
}

// The marks in a spans document: bytes that JSON can't have, in the places where traces differ.
const (
	markTraceID  = "\x00" // the OTEL trace ID in base64
	markStart    = "\x01" // nanoseconds since the Unix epoch
	markEnd      = "\x02"
	markMLflowID = "\x03" // tr-…
)

// compile writes a spans document with marks, and cuts it there.
func (s *Synthetic) compile() {
	var b strings.Builder
	b.WriteString(`{"spans":[`)
	for i := range s.Spans {
		spanID := base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, uint64(i)+1))
		parent := "null"
		if i > 0 {
			b.WriteByte(',')
			parent = `"AAAAAAAAAAE="`
		}
		head := fmt.Sprintf(`{"trace_id":"`+markTraceID+`","span_id":%q,"parent_span_id":%s,"name":"step %d",`+
			`"start_time_unix_nano":`+markStart+`,"end_time_unix_nano":`+markEnd+`,"events":[],`+
			`"status":{"code":"STATUS_CODE_OK","message":""},"links":[],`+
			`"attributes":{"mlflow.traceRequestId":"\"`+markMLflowID+`\"","mlflow.spanType":"\"LLM\"",`+
			`"mlflow.spanOutputs":"{\"answer\":%d,\"score\":0.25}","mlflow.spanInputs":"{\"messages\":[`, spanID, parent, i, i)
		b.WriteString(head)
		const tail = `]}"}}`
		message := `{\"role\":\"user\",\"content\":\"Where is my order? It should have come on Tuesday, says the mail.\",\"n\":4711}`
		for n := len(head) + len(tail); ; n += len(message) + 1 {
			b.WriteString(message)
			if n+2*len(message) > s.SpanBytes {
				break
			}
			b.WriteByte(',')
		}
		b.WriteString(tail)
	}
	s.parts, s.marks = nil, nil
	text := b.String()
	for {
		at := strings.IndexAny(text, markTraceID+markStart+markEnd+markMLflowID)
		if at < 0 {
			break
		}
		s.parts, s.marks = append(s.parts, []byte(text[:at])), append(s.marks, text[at])
		text = text[at+1:]
	}
	s.parts = append(s.parts, []byte(text))
}

func (s *Synthetic) serveSpans(w http.ResponseWriter, trace string) {
	i := s.index(trace)
	if i < 0 {
		fail(w, http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "no such trace")
		return
	}
	key := id(i)
	start := (syntheticEpoch + int64(i)) * 1_000_000
	values := [4]string{ // each at the index that its mark is
		base64.StdEncoding.EncodeToString(key[:]), strconv.FormatInt(start, 10), strconv.FormatInt(start+40_000_000, 10), traceID(i),
	}
	b := make([]byte, 0, s.size(i)+1024)
	for n, part := range s.parts {
		b = append(b, part...)
		if n < len(s.marks) {
			b = append(b, values[s.marks[n]]...)
		}
	}
	if i == s.Large {
		// One more span, with all the bytes in one value.
		b = append(b, `,{"trace_id":"`+values[0]+`","span_id":"7777777777777777","parent_span_id":"AAAAAAAAAAE=","name":"large",`...)
		b = append(b, `"start_time_unix_nano":`+values[1]+`,"end_time_unix_nano":`+values[2]+`,`...)
		b = append(b, `"attributes":{"mlflow.spanOutputs":"\"`...)
		b = append(b, strings.Repeat("0123456789abcdef", s.LargeBytes/16)...)
		b = append(b, `\""}}`...)
	}
	b = append(b, "]}"...)
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(len(b))) // Servers of files set it.
	w.Write(b)
}
