package run

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Difference is one thing in which two runs are not the same; "" where one has none.
type Difference struct {
	What string `json:"what"`
	A    string `json:"a"`
	B    string `json:"b"`
}

// Diff lists in what two runs differ: how they were called, what they read, what computed
// them, and what came out. Their times and places are no difference.
func Diff(a, b *Record) (out []Difference) {
	x, y := a.facts(), b.facts()
	names := slices.Collect(maps.Keys(x))
	for k := range y {
		if _, ok := x[k]; !ok {
			names = append(names, k)
		}
	}
	slices.SortFunc(names, func(p, q string) int { return cmp.Or(cmp.Compare(rank(p), rank(q)), cmp.Compare(p, q)) })
	for _, k := range names {
		if x[k] != y[k] {
			out = append(out, Difference{k, x[k], y[k]})
		}
	}
	return out
}

// Kinds of facts, in the order in which they are shown.
var kinds = []string{"command", "status", "method", "setting", "recipe", "seeds", "data", "set", "input", "output", "program", "value"}

func rank(what string) int {
	kind, _, _ := strings.Cut(what, " ")
	return slices.Index(kinds, kind)
}

// facts are what two runs may differ in, by name.
func (r *Record) facts() map[string]string {
	out := map[string]string{"command": r.Command, "status": string(r.Status), "method": strings.Join(r.Methods, ", "), "data": r.Data}
	var seeds []string
	for _, s := range r.Seeds {
		seeds = append(seeds, strconv.FormatUint(s, 10))
	}
	out["seeds"] = strings.Join(seeds, ", ")
	for k, v := range r.Settings {
		out["setting "+k] = v
	}
	for k, v := range r.Recipe {
		out["recipe "+k] = v
	}
	for _, s := range r.Sets {
		out["set "+s.Name] = fmt.Sprintf("%d samples, %.16s", s.Samples, s.SHA256)
	}
	for i, fs := range [][]File{r.Inputs, r.Outputs} {
		for _, f := range fs {
			out[[]string{"input ", "output "}[i]+strings.TrimPrefix(f.Name, "input ")] = fmt.Sprintf("%d bytes, %.16s", f.Bytes, f.SHA256)
		}
	}
	if n := len(r.Sittings); n > 0 {
		p := r.Sittings[n-1].Program
		out["program Pare"], out["program revision"], out["program Go"], out["program system"] = p.Pare, p.Revision, p.Go, p.System
		out["program processor"], out["program instructions"], out["program threads"] = p.Processor, p.Instructions, strconv.Itoa(p.Threads)
	}
	for k, v := range r.Values {
		out["value "+k] = strconv.FormatFloat(v, 'g', 6, 64)
	}
	return out
}
