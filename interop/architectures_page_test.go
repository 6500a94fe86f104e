package interop

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// architecturesPage writes the table of the documentation.
func architecturesPage(all []*judged, nets []exported) string {
	var w strings.Builder
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b *judged) int {
		return cmp.Or(strings.Compare(a.net.Family, b.net.Family), strings.Compare(a.net.Name, b.net.Name))
	})
	names := map[string]bool{}
	prunable, loads, runs, trains := 0, 0, 0, 0
	for _, v := range all {
		names[v.net.Name] = true
		for _, x := range []struct {
			n  *int
			ok bool
		}{{&loads, v.loads == nil && v.infers == nil}, {&runs, v.ok(v.runs)}, {&trains, v.ok(v.trains)}, {&prunable, v.ok(v.same, v.halve)}} {
			if x.ok {
				*x.n++
			}
		}
	}
	fmt.Fprintf(&w, header, len(all), len(names), loads, runs, trains, prunable)
	for _, v := range all {
		share := "–"
		if v.ok(v.same, v.halve) {
			share = fmt.Sprintf("%.2f", v.share)
		}
		fmt.Fprintf(&w, "| %s | %s | %s %d, %s batch, %s | %s | %s | %s | %d (%d) | %s | %s |\n", v.net.Family, v.net.Name,
			map[string]string{"script": "TorchScript", "dynamo": "dynamo"}[v.net.Exporter], v.net.Opset, v.net.Batch, v.net.Norm,
			v.mark(v.loads, v.infers), v.mark(v.runs), v.mark(v.trains), v.groups, v.channels, v.mark(v.same, v.halve), share)
	}
	w.WriteString("\n## What does not hold\n\n")
	for _, v := range all {
		for _, e := range []error{v.loads, v.infers, v.runs, v.trains, v.same, v.halve} {
			if e != nil {
				fmt.Fprintf(&w, "- `%s`: %s\n", v.net.File, strings.ReplaceAll(e.Error(), "\n", "; "))
			}
		}
	}
	w.WriteString("\n## What is left whole\n\nWeights whose outputs are never cut, by reason, over all networks of the table:\n\n| reason | weights | for example |\n|---|---|---|\n")
	for _, x := range reasons(all) {
		fmt.Fprintf(&w, "| %s | %d | %s |\n", x.why, x.n, x.example)
	}
	refused := false
	for _, n := range nets {
		if n.Error != "" {
			if !refused {
				w.WriteString("\n## What the exporters refuse\n\n")
				refused = true
			}
			fmt.Fprintf(&w, "- `%s`: %s\n", n.File, n.Error)
		}
	}
	return w.String()
}

func (v *judged) ok(e ...error) bool { return v.loads == nil && errors.Join(e...) == nil }

func (v *judged) mark(e ...error) string {
	if v.ok(e...) {
		return "yes"
	}
	return "no"
}

type reason struct {
	why, example string
	n            int
}

var quoted = regexp.MustCompile(`"[^"]*"|(input|output) \S+`)

// reasons counts why weights are left whole, with the names of nodes left out.
func reasons(all []*judged) []reason {
	by := map[string]*reason{}
	var out []*reason
	for _, v := range all {
		for _, s := range v.whole {
			name, why, _ := strings.Cut(s, ": ")
			why = strings.Join(strings.Fields(quoted.ReplaceAllString(why, "$1")), " ")
			x := by[why]
			if x == nil {
				x = &reason{why: why, example: "`" + name + "` of `" + v.net.File + "`"}
				by[why] = x
				out = append(out, x)
			}
			x.n++
		}
	}
	slices.SortStableFunc(out, func(a, b *reason) int { return b.n - a.n })
	rs := make([]reason, len(out))
	for i, x := range out {
		rs[i] = *x
	}
	return rs
}

const header = `# Architectures

The libraries' own model classes (torchvision, timm, transformers, segmentation_models_pytorch, torch), narrow and
shallow, with random weights and with statistics of normalisation that are those of random samples, exported by
PyTorch's two exporters and read by Pare. Made by

` + "```" + `
interop/architectures.sh FOLDER
PARE_ARCHITECTURES=FOLDER PARE_PYTHON=PYTHON go test ./interop -run Architectures -table ../docs/architectures.md
` + "```" + `

- *loads*: every operator is known, and every value has a type and a shape.
- *runs*: the outputs are ONNX Runtime's, to 1e-3 of the largest, and depend on the input.
- *trains*: the gradient of all weights is finite, and a small step down it lowers the loss by what it says (within half).
- *groups*: families of coupled channels (and how many channels they have). A group counts only where the network computes
  the same with a third of its channels zeroed and cut out, and with half of all groups' channels.
- *prunable*: that holds for all groups; channels can be cut until at most half of the multiply-accumulates are left, and
  ONNX Runtime computes the same from the result as Pare. *MACs* is the share that is left.

%d files of %d networks: %d load, %d run, %d train, %d are prunable.

| architecture | name | export | loads | runs | trains | groups (channels) | prunable | MACs |
|---|---|---|---|---|---|---|---|---|
`
