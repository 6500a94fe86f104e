package interop

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"pare/dataset"
	"pare/engine"
	"pare/model"
	"pare/model/structured"
	"pare/onnx"
	"pare/prune/structure"
	"pare/tensor"
	"pare/zoo"
)

type groupJob struct {
	Net   string  `json:"net"`
	Model string  `json:"model"`
	Input feed    `json:"input"`
	Label feed    `json:"label"`
	Score string  `json:"score"`
	Ratio float64 `json:"ratio"`
}

type groupAnswer struct {
	Error  string               `json:"error"`
	Groups map[string][]float64 `json:"groups"`
	Local  map[string][]int     `json:"local"`
	All    map[string][]int     `json:"all"`
}

// groupScores are the settings by which group scores are those of Torch-Pruning: of
// magnitudes it takes the weights of layers and the scales of normalisation, of gradients
// the weights alone (1.6.1 looks for a normalisation of another kind there).
var groupScores = map[string]func(*structured.SPA){
	"l1":     func(s *structured.SPA) { s.Score, s.Members = "magnitude-l1", "factors" },
	"l2":     func(s *structured.SPA) { s.Score, s.Members = "magnitude-l2", "factors" },
	"taylor": func(s *structured.SPA) { s.Score, s.Members = "snip", "weights" },
}

// The coupled channels of a network that was written to a file, their scores, and the
// channels that go, are those of Torch-Pruning on the network of the same weights: half of
// every group, and half of all channels ranked together.
func TestGroups(t *testing.T) {
	py := python(t, "numpy", "onnx", "torch", "torch_pruning")
	dir := t.TempDir()
	var jobs []groupJob
	var nets []*model.Job
	for _, name := range []string{"resnet8-b", "conv-2"} {
		g, err := zoo.New(name, zoo.Options{In: []int{3, 8, 8}, Seed: 5, Width: .5})
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(6, 7))
		for _, v := range g.Params() { // scales and biases that are no constants
			for i := range v.Const.F32() {
				if len(v.Shape) == 1 {
					v.Const.F32()[i] += float32(.3 * r.NormFloat64())
				}
			}
		}
		file := filepath.Join(dir, name+".onnx")
		if err := onnx.Write(file, g, onnx.Options{}); err != nil {
			t.Fatal(err)
		}
		if g, err = onnx.Load(file); err != nil {
			t.Fatal(err)
		}
		if _, err := model.Prepare(g); err != nil {
			t.Fatal(err)
		}
		const n = 20
		x, y := &dataset.Field{Name: "x", Shape: []int{3, 8, 8}}, &dataset.Field{Name: "label", Classes: 10}
		input, label := tensor.New(tensor.Float32, n, 3, 8, 8), tensor.New(tensor.Int64, n)
		for i := range input.F32() {
			input.F32()[i] = float32(r.NormFloat64())
		}
		for i := range n {
			tensor.Of[int64](label)[i] = int64(i % 10)
			y.Ints = append(y.Ints, int32(i%10))
		}
		x.Floats = input.F32()
		j := &model.Job{Graph: g, Data: &dataset.Data{Train: dataset.New("noise", x, y), Norm: dataset.Raw}, Seed: 1, Engine: engine.Options{Threads: 2}}
		in, to := raw(t, file+".input", input), raw(t, file+".label", label)
		for _, score := range []string{"l1", "l2", "taylor"} {
			jobs = append(jobs, groupJob{name, file, in, to, score, .5})
			nets = append(nets, j)
		}
	}
	for k, a := range ask[groupJob, groupAnswer](t, py, "groups.py", dir, jobs) {
		t.Run(jobs[k].Net+" "+jobs[k].Score, func(t *testing.T) {
			if a.Error != "" {
				t.Fatalf("Torch-Pruning: %s", a.Error)
			}
			s := structured.NewSPA()
			s.Samples = 20
			groupScores[jobs[k].Score](s)
			groups, rates, err := s.Rates(context.Background(), nets[k])
			if err != nil {
				t.Fatal(err)
			}
			if len(groups) != len(a.Groups) {
				t.Errorf("%d groups, Torch-Pruning has %d", len(groups), len(a.Groups))
			}
			var theirs [][]float64 // in our order
			var of []string        // the weight that each is known by there
			for i, grp := range groups {
				name, axis := known(grp, a.Groups)
				if name == "" {
					t.Fatalf("%v is no group of Torch-Pruning", grp)
				}
				want := make([]float64, len(grp.Channels))
				for c, ch := range grp.Channels {
					want[c] = a.Groups[name][ch.At[axis][0]]
				}
				if d := apart(rates[i], want); !(d <= 1e-4) {
					t.Errorf("scores of %s differ by %.2g of the largest", name, d)
				}
				theirs, of = append(theirs, want), append(of, name)
			}
			for _, everywhere := range []bool{false, true} {
				goes, said := chosen(groups, rates, everywhere), a.Local
				if everywhere {
					said = a.All
				}
				for i, grp := range groups {
					_, axis := known(grp, a.Groups)
					for c, ch := range grp.Channels {
						p := ch.At[axis][0]
						if gone := slices.Contains(said[of[i]], p); gone != goes[i][c] {
							t.Errorf("channel %d of %s goes: %v, in Torch-Pruning %v (all ranked together: %v); scores %v and %v", p, of[i], goes[i][c], gone, everywhere, rates[i][c], theirs[i][c])
						}
					}
				}
			}
		})
	}
}

// known is the weight that makes a group's channels by which it is known there, and the
// axis of the group.
func known(grp *structure.Group, there map[string][]float64) (string, int) {
	for k, a := range grp.Axes {
		if _, ok := there[a.Value.Name]; ok && a.Dim == 0 && len(a.Value.Shape) > 1 && slices.Contains(grp.Makers(), a.Value.Name) {
			return a.Value.Name, k
		}
	}
	return "", 0
}

// chosen are the lower half: of every group, or of all together.
func chosen(groups []*structure.Group, rates [][]float64, everywhere bool) [][]bool {
	out := make([][]bool, len(groups))
	lower := func(x float64, among []float64) bool {
		below := 0
		for _, y := range among {
			if y < x {
				below++
			}
		}
		return below < len(among)/2
	}
	all := slices.Concat(rates...)
	for i := range groups {
		for _, x := range rates[i] {
			among := rates[i]
			if everywhere {
				among = all
			}
			out[i] = append(out[i], lower(x, among))
		}
	}
	return out
}
