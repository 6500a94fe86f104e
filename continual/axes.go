package continual

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"pare/catalog"
	"pare/graph"
)

// named are names that free axes of time have.
var named = regexp.MustCompile(`(?i)^(t|time|times|timesteps?|time_?steps?|frames?|num_?frames|n_?frames|seq|sequence|seq_?len(gth)?|sequence_?length|steps|samples_in_time|audio_?length)$`)

// ParseAxes reads the time axes of a network's inputs: a number for its only input, or for
// all that have such an axis; or NAME=AXIS for each. Where nothing is given, an axis of a
// telling name is found, which the note says.
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
			axes[name] = a
			continue
		}
		if len(text) > 1 {
			return nil, "", catalog.Errorf("{Axes} %q: one axis without a name stands alone; %s", s, listInputs(g))
		}
		for _, v := range g.Inputs {
			if len(g.Inputs) == 1 || axisOf(a, len(v.Shape)) >= 0 && axisOf(a, len(v.Shape)) < len(v.Shape) {
				axes[v.Name] = a
			}
		}
	}
	if len(text) > 0 {
		return axes, "", nil
	}
	for _, v := range g.Inputs {
		for a, d := range v.Shape {
			if _, found := axes[v.Name]; !found && !d.Known() && named.MatchString(d.Sym) {
				axes[v.Name] = a
				note = catalog.Text(fmt.Sprintf("axis %d of input %q, %v, is taken for time; {Axes} gives another", a, v.Name, d))
			}
		}
	}
	if len(axes) == 0 {
		return nil, "", catalog.Errorf("no axis of the inputs is named after time: give {Axes}; %s", listInputs(g))
	}
	return axes, note, nil
}
