package mlflow

import "testing"

func TestParseAttachment(t *testing.T) {
	const id = "0d5d4c3e-7d1a-4d0e-9f3e-2f6f1a2b3c4d"
	for text, want := range map[string]Attachment{
		"mlflow-attachment://" + id + "?content_type=image%2Fpng&trace_id=tr-1&size=12":               {id, "tr-1", "image/png", 12},
		"mlflow-attachment://" + id + "?content_type=audio%2Fwav&trace_id=tr-1":                       {id, "tr-1", "audio/wav", 0},
		"mlflow-attachment://" + id + "?content_type=a%2Fb&trace_id=trace%3A%2Fc.s.p%2Fab&size=-1":    {id, "trace:/c.s.p/ab", "a/b", 0},
		"mlflow-attachment://" + id + "?content_type=text%2Fplain%3Bcharset%3Dutf-8&trace_id=t&size=": {id, "t", "text/plain;charset=utf-8", 0},
	} {
		if got, ok := ParseAttachment(text); !ok || got != want {
			t.Errorf("%s: %+v, %v", text, got, ok)
		}
	}
	for _, text := range []string{
		"", "text", "see mlflow-attachment://" + id + "?content_type=a&trace_id=b", "mlflow-attachment://" + id,
		"mlflow-attachment://" + id + "?content_type=a", "mlflow-attachment://" + id + "?trace_id=b",
		"mlflow-attachment://..%2f..%2fetc?content_type=a&trace_id=b", "mlflow-attachment://nobody?content_type=a&trace_id=b",
		"mlflow-attachment:///" + id + "?content_type=a&trace_id=b",
	} {
		if got, ok := ParseAttachment(text); ok {
			t.Errorf("%q is taken for %+v", text, got)
		}
	}
}
