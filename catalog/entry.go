package catalog

import (
	"math"
	"strconv"
	"strings"
)

// Entry is a method in the catalogue, for machines.
type Entry struct {
	*Card
	Settings   []*Setting `json:"settings"`
	Reproduces bool       `json:"reproduces"` // there is an experiment that tests its paper's claims
}

// Allowed says which values a setting takes, in short: its choices, or the interval
// of its numbers; "" for any of its kind.
func (s *Setting) Allowed() string {
	text := strings.Join(s.Choices, ", ")
	if s.Range != "" {
		text = s.interval()
	}
	if s.Kind == "bool" {
		text = "true, false"
	}
	also := s.also()
	if text == "" || len(also) == 0 {
		return text
	}
	return text + ", or " + strings.Join(also, ", ")
}

// interval writes an interval with two ends as it is, and others in words.
func (s *Setting) interval() string {
	in, err := ParseInterval(s.Range)
	switch {
	case err != nil || math.IsInf(in.Lo, 0) || !math.IsInf(in.Hi, 0):
		return s.Range
	case in.OpenLo:
		return "above " + strconv.FormatFloat(in.Lo, 'g', -1, 64)
	}
	return "at least " + strconv.FormatFloat(in.Lo, 'g', -1, 64)
}

// Usage is the Doc with the values that are allowed, where it does not say so.
func (s *Setting) Usage() string {
	switch {
	case s.Choices != nil:
		for _, c := range s.Choices {
			if !strings.Contains(s.Doc, c) {
				return s.Doc + ": " + words(s.Choices)
			}
		}
	case s.Range == "" || s.Range == "[0,)":
	case !strings.Contains(s.Doc, "in [") && !strings.Contains(s.Doc, "in (") && !strings.Contains(s.Doc, "at least") && !strings.Contains(s.Doc, "above"):
		text := s.Allowed()
		if strings.ContainsAny(text[:1], "[(") {
			text = "in " + text
		}
		return s.Doc + "; " + text
	}
	return s.Doc
}
