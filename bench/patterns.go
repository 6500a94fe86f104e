package main

import (
	"fmt"
	"html"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pare/graph"
	"pare/graph/op"
	"pare/measure"
	"pare/onnx"
	"pare/prune"
	"pare/prune/structure"
	"pare/report"
	"pare/tensor"
)

// linears are the shapes of BERT-base's layers: inputs, outputs.
var linears = [][2]int{{768, 768}, {768, 3072}, {3072, 768}}

// linear is one layer without bias, of which a share is zero.
func linear(k, n int, sparsity float64) (*graph.Graph, error) {
	g := graph.New("linear", 17)
	x := &graph.Value{Name: "input", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(k)}}
	g.Inputs = []*graph.Value{x}
	r := rand.New(rand.NewPCG(4, 5))
	w := random(k * n)
	for i := range w {
		if r.Float64() < sparsity {
			w[i] = 0
		}
	}
	b := op.NewBuilder(g, "linear")
	y := b.Op("MatMul", x, g.Const("weight", tensor.From(w, k, n), graph.Param))
	y.Name = "logits"
	g.Outputs = []*graph.Value{y}
	return g, op.InferAll(g)
}

// layers compares single sparse layers with ONNX Runtime's dense ones.
func layers(dir string) []work {
	var ws []work
	bars := map[float64]float64{.8: 1.8, .9: 3, .95: 5}
	for _, l := range linears {
		path := lazily(func() string {
			path := filepath.Join(dir, fmt.Sprintf("linear-%d-%d.onnx", l[0], l[1]))
			if _, err := os.Stat(path); err == nil {
				return path
			}
			g, err := linear(l[0], l[1], 0)
			if err == nil {
				err = onnx.Save(path, g, onnx.Options{})
			}
			if err != nil {
				fmt.Fprintln(os.Stderr, "bench:", err)
			}
			return path
		})
		for _, s := range []float64{.8, .9, .95} {
			ws = append(ws, work{Group: "sparse layer", Name: fmt.Sprintf("%d to %d, 128 rows, %v %% zeros", l[0], l[1], 100*s), Peer: "ONNX Runtime", Bar: bars[s],
				ours:   built(func() (*graph.Graph, error) { return linear(l[0], l[1], s) }, 128),
				theirs: map[string]any{"kind": "infer", "file": path, "batch": 128}})
		}
	}
	return ws
}

// built is inference of a network that make makes.
func built(make func() (*graph.Graph, error), batch int) prepared {
	return func(threads int) (func() error, func(), error) {
		g, err := make()
		if err != nil {
			return nil, nil, err
		}
		return frozen(g, batch)(threads)
	}
}

// pattern is a form of sparsity.
type pattern struct {
	name string
	bar  float64 // over Pare's own dense kernels
	mask func(score []float32, rows, cols int) (*prune.Mask, error)
}

func patterns() []pattern {
	nm := func(n, m int) func(score []float32, rows, cols int) (*prune.Mask, error) {
		return func(score []float32, rows, cols int) (*prune.Mask, error) { return prune.Nm(score, rows, cols, n, m) }
	}
	blocks := func(h, w int) func(score []float32, rows, cols int) (*prune.Mask, error) {
		return func(score []float32, rows, cols int) (*prune.Mask, error) {
			n := ((rows + h - 1) / h) * ((cols + w - 1) / w)
			return prune.Blocks(score, rows, cols, h, w, max(1, n/10))
		}
	}
	return []pattern{
		{"2:4", 1.5, nm(2, 4)}, {"1:4", 2.5, nm(1, 4)},
		{"90 % in blocks of 16 outputs", 2.5, blocks(16, 1)}, {"90 % in blocks of 16 inputs", 2.5, blocks(1, 16)},
	}
}

// patterned compares patterns of zeros with own dense kernels.
func patterned() []work {
	var ws []work
	nets := []struct {
		name  string
		batch int
		make  func() (*graph.Graph, error)
	}{
		{"768 to 3072, 128 rows", 128, func() (*graph.Graph, error) { return linear(768, 3072, 0) }},
		{"bert-12-768-12, batch 1", 1, func() (*graph.Graph, error) { return network("bert-12-768-12", 0) }},
		{"resnet50-imagenet, batch 1", 1, func() (*graph.Graph, error) { return network("resnet50-imagenet", 0) }},
		{"resnet20, batch 128", 128, func() (*graph.Graph, error) { return network("resnet20", 0) }},
	}
	for _, net := range nets {
		for _, p := range patterns() {
			ws = append(ws, work{Group: "pattern, own", Name: net.name + ", " + p.name, Peer: "Pare, dense", Bar: p.bar,
				ours: built(func() (*graph.Graph, error) { return masked(net.make, p) }, net.batch), own: built(net.make, net.batch)})
		}
	}
	return ws
}

// masked is a network with a pattern of zeros in every layer that has 16 inputs
// or more.
func masked(make func() (*graph.Graph, error), p pattern) (*graph.Graph, error) {
	g, err := make()
	if err != nil {
		return nil, err
	}
	ws, err := prune.Weights(g, prune.Scope{})
	if err != nil {
		return nil, err
	}
	for _, w := range ws {
		if rows, cols, _ := w.Matrix(); rows < 16 || cols < 16 || w.Name == "token.weight" || w.Name == "position" {
			continue
		}
		score := slices.Clone(w.Data())
		for i, v := range score {
			score[i] = float32(math.Abs(float64(v)))
		}
		m, err := w.Patterned(score, p.mask)
		if err != nil {
			continue // fewer channels than the pattern has places
		}
		m.Apply(w.Data())
	}
	return g, nil
}

// structured compares networks cut to half their multiply-accumulates with
// themselves.
func structured() []work {
	var ws []work
	for _, c := range []struct {
		net   string
		batch int
	}{{"resnet20", 1}, {"resnet20", 128}, {"resnet50-imagenet", 1}, {"mobilenetv2-224", 1}} {
		whole := func() (*graph.Graph, error) { return network(c.net, 0) }
		ws = append(ws, work{Group: "half the MACs, own", Name: fmt.Sprintf("%s, batch %d", c.net, c.batch), Peer: "Pare, dense", Bar: 1 / .6,
			ours: built(func() (*graph.Graph, error) {
				g, err := whole()
				if err != nil {
					return nil, err
				}
				groups, _ := structure.Groups(g)
				sel, err := structure.Select(g, groups, structure.Score(groups, structure.Squares), structure.Target{MACs: .5, Round: 8, Least: .25})
				if err != nil {
					return nil, err
				}
				return structure.Cut(g, groups, sel)
			}, c.batch), own: built(whole, c.batch)})
	}
	return ws
}

// disk compares the sparse form of networks with 90 % zeros with the dense file.
func disk() []Row {
	var rows []Row
	for _, net := range []string{"lenet-300-100", "resnet20", "resnet50-imagenet", "bert-12-768-12"} {
		for _, half := range []bool{false, true} {
			r := Row{Group: "bytes on disk", Name: net + ", 90 % zeros, float32", Threads: 1, Peer: "dense float32", Bar: 1 / .14}
			if half {
				r.Name, r.Bar = net+", 90 % zeros, float16", 1/.08
			}
			g, err := network(net, .9)
			if err == nil {
				var dense, sparse []byte
				if dense, err = onnx.Encode(g, onnx.Options{}); err == nil {
					sparse, err = onnx.EncodeSparse(g, half)
					r.Pare, r.Theirs = measure.Spread{Median: float64(len(sparse))}, measure.Spread{Median: float64(len(dense))}
					r.Ratio = measure.Spread{Median: float64(len(dense)) / float64(len(sparse))}
				}
			}
			if err != nil {
				r.Error = err.Error()
			}
			r.print()
			rows = append(rows, r)
		}
	}
	return rows
}

// plotTime is the time of one side in one round of the plot.
const plotTime = 40 * time.Millisecond

// plot draws speed against sparsity: how many times ONNX Runtime's dense speed
// Pare reaches, with the ideal line.
func plot(path, python, dir string) error {
	p, err := startPeer(python, 1)
	if err != nil {
		return err
	}
	defer p.stop()
	shares := []float64{0, .1, .2, .3, .4, .5, .6, .7, .8, .85, .9, .95, .98, .99}
	chart := report.Plot{Title: "Speed against zeros, one thread",
		X: report.Axis{Name: "share of the weights that is zero", Format: report.Share}, Y: report.Axis{Name: "times as fast as ONNX Runtime, dense", Log: true, Format: report.Plain}}
	ideal, runtime := report.Series{Name: "ideal: 1 / density", Line: true, Dashed: true}, report.Series{Name: "ONNX Runtime", Line: true, Dashed: true}
	for _, s := range shares {
		ideal.Points = append(ideal.Points, report.Point{X: s, Y: 1 / (1 - s)})
		runtime.Points = append(runtime.Points, report.Point{X: s, Y: 1})
	}
	theirs := layers(dir)[3].theirs // 768 to 3072
	for _, c := range []struct {
		name   string
		batch  int
		make   func(s float64) (*graph.Graph, error)
		theirs map[string]any
	}{
		{"linear 768 to 3072, 128 rows", 128, func(s float64) (*graph.Graph, error) { return linear(768, 3072, s) }, theirs},
		{"ResNet-50, batch 1", 1, func(s float64) (*graph.Graph, error) { return network("resnet50-imagenet", s) },
			map[string]any{"kind": "infer", "file": file(dir, "resnet50-imagenet"), "batch": 1}},
		{"ResNet-20, batch 128", 128, func(s float64) (*graph.Graph, error) { return network("resnet20", s) },
			map[string]any{"kind": "infer", "file": file(dir, "resnet20"), "batch": 128}},
	} {
		line := report.Series{Name: c.name, Line: true}
		for _, s := range shares {
			w := work{Group: "plot", Name: fmt.Sprintf("%s, %v %% zeros", c.name, 100*s), Peer: "ONNX Runtime", theirs: c.theirs,
				ours: built(func() (*graph.Graph, error) { return c.make(s) }, c.batch)}
			r := duel(w, p, 1, 3, plotTime)
			r.print()
			if r.Error == "" {
				line.Points = append(line.Points, report.Point{X: s, Y: r.Ratio.Median})
			}
		}
		chart.Series = append(chart.Series, line)
	}
	chart.Series = append(chart.Series, runtime, ideal)
	return os.WriteFile(path, []byte(standalone(chart)), 0o644)
}

// plotStyle is what the report's page says of a plot's parts.
const plotStyle = `<style>.grid{stroke:#ddd}.tick,.axis,text{fill:#444;font:11px sans-serif}polyline{fill:none;stroke-width:2}` +
	`polyline.ref{stroke:#888;stroke-width:1.3;stroke-dasharray:5 4}` +
	`polyline.c0{stroke:#2b6cb0}polyline.c1{stroke:#c05621}polyline.c2{stroke:#2f855a}` +
	`circle.c0,.k0{fill:#2b6cb0}circle.c1,.k1{fill:#c05621}circle.c2,.k2{fill:#2f855a}</style>`

// standalone is a plot as a separate file, with the names of its lines inside.
func standalone(p report.Plot) string {
	svg, _, _ := strings.Cut(p.SVG(), "</svg>")
	svg = strings.Replace(svg, "<svg ", `<svg xmlns="http://www.w3.org/2000/svg" width="960" height="600" `, 1)
	svg = strings.Replace(svg, ">", ">"+plotStyle+`<rect width="480" height="300" fill="#fff"/>`, 1)
	for i, s := range p.Series {
		name := html.EscapeString(s.Name)
		if s.Dashed {
			name = "- - " + name
		}
		svg += fmt.Sprintf(`<text class="k%d" x="84" y="%d">%s</text>`, i, 22+14*i, name)
	}
	return svg + "</svg>\n"
}
