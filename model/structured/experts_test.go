package structured

import (
	"math"
	"slices"
	"sort"
	"strings"
	"testing"

	"pare/dataset"
	"pare/graph"
	"pare/internal/modeltest"
	"pare/internal/oracle"
	"pare/model"
	"pare/prune/expert"
)

func expertJob(t *testing.T, epochs int) *model.Job {
	t.Helper()
	return layerJob(t, "experts-2-12-5", epochs)
}

// seen is what plain loops see of the experts of experts-2-12-5 over samples: by mixture
// and expert, how often it is chosen, and the mean of weight times norm of what it makes.
func seen(g *graph.Graph, x *dataset.Field, rows []int) (often, reap [2][]float64) {
	const width, n = 12, 5
	of := func(name string) []float64 { return oracle.Wide(g.Value(name).Const.F32()) }
	line := func(w, b, x []float64, o int) float64 { // row o of [outputs inputs]
		s := b[o]
		for i, v := range x {
			s += w[o*len(x)+i] * v
		}
		return s
	}
	for m := range often {
		often[m], reap[m] = make([]float64, n), make([]float64, n)
	}
	in := x.Size()
	for _, r := range rows {
		sample := make([]float64, in)
		for i := range sample {
			sample[i] = float64(x.Floats[r*in+i])
		}
		h := make([]float64, width)
		for o := range h {
			h[o] = max(0, line(of("stem.weight"), of("stem.bias"), sample, o))
		}
		for m, block := range []string{"blocks.0.", "blocks.1."} {
			logits, order := make([]float64, n), make([]int, n)
			for e := range logits {
				logits[e], order[e] = line(of(block+"router.weight"), of(block+"router.bias"), h, e), e
			}
			sort.Slice(order, func(a, b int) bool { return logits[order[a]] > logits[order[b]] })
			p, q := math.Exp(logits[order[0]]), math.Exp(logits[order[1]])
			sum := slices.Clone(h)
			for k, e := range order[:2] {
				weight := []float64{p / (p + q), q / (p + q)}[k]
				y, norm := make([]float64, width), 0.
				for o := range y {
					y[o] = max(0, line(of(block + "experts.fc1.weight")[e*width*width:(e+1)*width*width], of(block + "experts.fc1.bias")[e*width:], h, o))
				}
				for o := range width {
					z := line(of(block + "experts.fc2.weight")[e*width*width:(e+1)*width*width], of(block + "experts.fc2.bias")[e*width:], y, o)
					norm += z * z
					sum[o] += weight * z
				}
				often[m][e]++
				reap[m][e] += weight * math.Sqrt(norm)
			}
			h = sum
		}
	}
	for m := range often {
		for e := range n {
			reap[m][e] /= max(1, often[m][e])
			often[m][e] /= float64(len(rows))
		}
	}
	return often, reap
}

// What experts are worth is what plain loops say, those that are worth least beside the
// mean of their mixture go, of every mixture two stay, and the weights that stay are those
// of the experts that do.
func TestExpertsOracle(t *testing.T) {
	for _, by := range []string{"reap", "frequency"} {
		for _, even := range []bool{false, true} {
			j := expertJob(t, 0)
			whole, _ := j.Graph.Clone(true)
			all := make([]int, j.Data.Train.Len())
			for i := range all {
				all[i] = i
			}
			often, reap := seen(whole, j.Data.Train.X(), all)
			want := map[string][2][]float64{"reap": reap, "frequency": often}[by]
			s := NewExperts()
			s.Share, s.Score, s.Even, s.Samples = .4, by, even, len(all)
			r := modeltest.Run(t, s, j)
			f := r.Facts.(*ExpertFacts)
			type at struct {
				m, e int
				by   float64
			}
			var order []at
			for m, x := range f.Mixtures {
				mean := 0.
				for e, got := range x.Worth {
					if math.Abs(got-want[m][e]) > 1e-4*(1+want[m][e]) {
						t.Fatalf("%s of expert %d of %s is %v, want %v", by, e, x.Name, got, want[m][e])
					}
					mean += want[m][e] / 5
				}
				rank := []int{0, 1, 2, 3, 4}
				sort.SliceStable(rank, func(a, b int) bool { return want[m][rank[a]] < want[m][rank[b]] })
				for k, e := range rank[:3] {
					if by := want[m][e] / mean; even {
						order = append(order, at{m, e, float64(k)})
					} else {
						order = append(order, at{m, e, by})
					}
				}
			}
			sort.SliceStable(order, func(a, b int) bool { return order[a].by < order[b].by })
			gone := [2][]int{{}, {}}
			for _, x := range order[:4] { // 0.4 of ten
				gone[x.m] = append(gone[x.m], x.e)
			}
			for m, x := range f.Mixtures {
				slices.Sort(gone[m])
				if !slices.Equal(x.Removed, gone[m]) || x.Chosen != 2 {
					t.Errorf("%s, even %v: %v of %s go, want %v", by, even, x.Removed, x.Name, gone[m])
				}
				name := []string{"blocks.0.experts.fc1.weight", "blocks.1.experts.fc1.weight"}[m]
				var left []float32
				for i, v := range whole.Value(name).Const.F32() {
					if !slices.Contains(gone[m], i/144) {
						left = append(left, v)
					}
				}
				if !slices.Equal(r.Graph.Value(name).Const.F32(), left) {
					t.Errorf("%s is not what is left of it", name)
				}
			}
		}
	}
}

// Budgets are met with as few experts gone as do, or refused; what a share asks for beyond
// what may go is said.
func TestExpertsTargets(t *testing.T) {
	s := NewExperts()
	s.Share, s.Params, s.Score = 0, .7, "norm"
	r := modeltest.Run(t, s, expertJob(t, 0))
	f := r.Facts.(*ExpertFacts)
	if p := float64(f.After.Params) / float64(f.Before.Params); p > .7 || p < .6 {
		t.Errorf("%v of the parameters are left", p)
	}
	s.Params = .1
	modeltest.Refused(t, s, expertJob(t, 0), "experts alone do not get there")
	s.Share, s.Params = .9, 0
	r = modeltest.Run(t, s, expertJob(t, 0))
	if said := modeltest.Said(r); !strings.Contains(said, "6 of 10 experts") || !strings.Contains(said, "would be 9 experts") {
		t.Error(said)
	}
	s.Share = 0
	modeltest.Refused(t, s, expertJob(t, 0), "no target: give Share")
	modeltest.Refused(t, NewExperts(), modeltest.Job(t, 0), "no mixture of experts")
	s = NewExperts()
	s.Include = []string{"blocks.0.*"}
	if f := modeltest.Run(t, s, expertJob(t, 0)).Facts.(*ExpertFacts); len(f.Mixtures) != 1 || f.Mixtures[0].Name != "blocks.0.experts" || f.Score != "reap" {
		t.Errorf("%+v", f)
	}
	s.Include = []string{"nosuch.*"}
	modeltest.Refused(t, s, expertJob(t, 0), "nosuch")
	s = NewExperts()
	s.Exclude = []string{"*"}
	modeltest.Refused(t, s, expertJob(t, 0), "leave no mixture")
	j := expertJob(t, 0)
	j.Data = nil
	if f := modeltest.Run(t, NewExperts(), j).Facts.(*ExpertFacts); f.Score != "norm" {
		t.Errorf("without data experts are rated by %s", f.Score)
	}
	s = NewExperts()
	s.Share = .5
	s.Rate = func(ms []*expert.Mixture) [][]float64 { return [][]float64{{3, 1, 2, 5, 4}, {5, 4, 3, 2, 1}} }
	f = modeltest.Run(t, s, expertJob(t, 0)).Facts.(*ExpertFacts)
	if !slices.Equal(f.Mixtures[0].Removed, []int{0, 1, 2}) || !slices.Equal(f.Mixtures[1].Removed, []int{3, 4}) {
		t.Errorf("%+v", f.Mixtures)
	}
}

// By norm the expert goes whose weights are smallest.
func TestExpertsByNorm(t *testing.T) {
	j := expertJob(t, 0)
	small := map[int]int{0: 3, 1: 1}
	for m, e := range small {
		for _, part := range []string{"fc1", "fc2"} {
			w := j.Graph.Value([]string{"blocks.0.experts.", "blocks.1.experts."}[m] + part + ".weight").Const.F32()
			for i := range w[e*144 : (e+1)*144] {
				w[e*144+i] *= .5
			}
		}
	}
	s := NewExperts()
	s.Share, s.Score = .2, "norm"
	for m, x := range modeltest.Run(t, s, j).Facts.(*ExpertFacts).Mixtures {
		if !slices.Equal(x.Removed, []int{small[m]}) {
			t.Errorf("%s loses %v", x.Name, x.Removed)
		}
	}
}

// Runs that are stopped go on to the same.
func TestExpertsResume(t *testing.T) {
	modeltest.Resumes(t, "experts", func() (model.Method, *model.Job) { return NewExperts(), expertJob(t, 2) }, 20, 3, 7)
}
