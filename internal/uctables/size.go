package uctables

// Size estimates the bytes of a span row in memory: its texts, and a constant for the rest.
func (s *Span) Size() int64 {
	n := 256 + len(s.Name) + len(s.Attributes) + len(s.ResourceAttributes) +
		length(s.StatusMessage) + length(s.TraceState) + length(s.ScopeName)
	for i := range s.Events {
		n += 64 + len(s.Events[i].Name) + len(s.Events[i].Attributes)
	}
	for i := range s.Links {
		n += 128 + len(s.Links[i].Attributes)
	}
	return int64(n)
}

// Size estimates the bytes of an annotation row in memory.
func (a *Annotation) Size() int64 {
	return int64(384 + len(a.Name) + len(a.Value) + len(a.Metadata) + length(a.Comment))
}

func length(s *string) int {
	if s == nil {
		return 0
	}
	return len(*s)
}
