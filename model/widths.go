package model

import (
	"math"
	"strconv"
	"strings"

	"pare/catalog"
	"pare/graph"
	"pare/prune"
	"pare/prune/structure"
)

// width is a share or number of channels for the groups that a pattern matches.
type width struct {
	pattern string
	x       float64
}

// of is the number that it means in a group of n channels: of a share, not less than it.
func (w width) of(n int) int {
	if w.x > 1 {
		return min(n, int(w.x))
	}
	return max(1, int(math.Ceil(w.x*float64(n)-1e-9)))
}

// parseWidths reads PATTERN=WIDTH, held in a field of the settings.
func parseWidths(field string, list []string) (out []width, err error) {
	for _, text := range list {
		i := strings.LastIndex(text, "=")
		bad := catalog.Errorf("{%s} %q: a pattern and a share in (0,1] or a number of channels are needed, such as layer1*=0.8", field, text)
		if i < 1 {
			return nil, bad
		}
		x, err := strconv.ParseFloat(text[i+1:], 64)
		if err != nil || !(x > 0) || x > math.MaxInt32 || x > 1 && x != math.Trunc(x) {
			return nil, bad
		}
		out = append(out, width{text[:i], x})
	}
	return out, nil
}

// limits are the widths of groups by the settings' patterns, nil where there are none.
func (s *ChannelTarget) limits(g *graph.Graph, groups []*structure.Group) ([]structure.Widths, error) {
	if len(s.AtLeast)+len(s.Widths) == 0 || len(groups) == 0 {
		return nil, nil
	}
	var names []string // of the layers that make and read channels
	var of []int       // the group of each
	for i, e := range structure.Explain(g, groups) {
		made := append(groups[i].Makers(), e.Made...)
		for _, n := range made {
			names, of = append(names, n), append(of, i)
		}
	}
	out := make([]structure.Widths, len(groups))
	for _, f := range []struct {
		field string
		list  []string
		to    func(i, n int)
	}{
		{"AtLeast", s.AtLeast, func(i, n int) { out[i].Least = n }},
		{"Widths", s.Widths, func(i, n int) { out[i].Exactly = n }},
	} {
		ws, err := parseWidths(f.field, f.list)
		if err != nil {
			return nil, err
		}
		for _, w := range ws {
			match, err := prune.Matching(w.pattern, names)
			if err != nil {
				return nil, catalog.Errorf("{%s}: %v", f.field, err)
			}
			for k, ok := range match {
				if ok {
					f.to(of[k], w.of(len(groups[of[k]].Channels)))
				}
			}
		}
	}
	return out, nil
}
