package continual

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"pare/catalog"
	"pare/graph"
)

// named are names that free axes of time have.
var named = regexp.MustCompile(`(?i)^(t|time|times|timesteps?|time_?steps?|frames?|num_?frames|n_?frames|seq|sequence|seq_?len(gth)?|sequence_?length|steps|samples_in_time|audio_?length)$`)

// ParseAxes reads the time axes of a network's inputs: a number for its only input, or for
// all that have such an axis; or NAME=AXIS for each. Where nothing is given, axes of a
// telling name are found. The note says which inputs are over time, where that was not told.
func ParseAxes(g *graph.Graph, text []string) (axes map[string]int, note catalog.Text, err error) {
	axes = map[string]int{}
	for _, s := range text {
		name, number, some := strings.Cut(s, "=")
		if !some {
			name, number = "", s
		}
		a, err := strconv.Atoi(number)
		if err != nil {
			return nil, "", catalog.Errorf("{Axes} %q: an axis is needed, such as 2, or NAME=AXIS for each input over time; %s", s, listInputs(g))
		}
		if some {
			if _, twice := axes[name]; twice {
				return nil, "", catalog.Errorf("{Axes} %q: input %q has an axis of time already", s, name)
			}
			axes[name] = a
			continue
		}
		if len(text) > 1 {
			return nil, "", catalog.Errorf("{Axes} %q: one axis without a name stands alone; %s", s, listInputs(g))
		}
		for _, v := range g.Inputs {
			if i := axisOf(a, len(v.Shape)); len(g.Inputs) == 1 || i >= 0 && i < len(v.Shape) {
				axes[v.Name] = a
			}
		}
		if len(axes) == 0 {
			return nil, "", catalog.Errorf("{Axes} %d: no input has such an axis; %s", a, listInputs(g))
		}
		if len(g.Inputs) == 1 {
			return axes, "", nil
		}
		return axes, taken(g, axes), nil
	}
	if len(axes) > 0 {
		return axes, "", nil
	}
	for _, v := range g.Inputs {
		if a := slices.IndexFunc(v.Shape, func(d graph.Dim) bool { return !d.Known() && named.MatchString(d.Sym) }); a >= 0 {
			axes[v.Name] = a
		}
	}
	if len(axes) == 0 {
		return nil, "", catalog.Errorf("no axis of the inputs is named after time: give {Axes}; %s", listInputs(g))
	}
	return axes, taken(g, axes), nil
}

// taken says which axes are taken for time.
func taken(g *graph.Graph, axes map[string]int) catalog.Text {
	var of []string
	for _, v := range g.Inputs {
		if a, ok := axes[v.Name]; ok {
			i := axisOf(a, len(v.Shape))
			of = append(of, fmt.Sprintf("axis %d of input %q, %v", i, v.Name, v.Shape[i]))
		}
	}
	return catalog.Text("taken for time: " + strings.Join(of, "; ") + " ({Axes} NAME=AXIS gives others)")
}
