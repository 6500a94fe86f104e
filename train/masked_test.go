package train

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/internal/kernel"
	"pare/tensor"
	"pare/zoo"
)

// cutWeights cuts a share of the entries of all matrices and kernels to zero.
func cutWeights(r *rand.Rand, g *graph.Graph, sparsity float64) map[string][]uint64 {
	masks := map[string][]uint64{}
	for _, p := range g.Params() {
		if p.Const.Rank() < 2 {
			continue
		}
		m := make([]uint64, (p.Const.Len()+63)/64)
		for i := range p.Const.F32() {
			if r.Float64() >= sparsity {
				m[i/64] |= 1 << (i % 64)
			}
		}
		kernel.Keep(m, p.Const.F32())
		masks[p.Name] = m
	}
	return masks
}

func step(t *testing.T, g *graph.Graph, threads int) *Step {
	t.Helper()
	s, err := NewStep(g, 8, Loss{}, engine.Options{Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	r := rand.New(rand.NewPCG(1, 2))
	if x := s.Input().F32(); x != nil {
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
	} else {
		for i, x := range tensor.Of[int64](s.Input()) {
			tensor.Of[int64](s.Input())[i] = (x + int64(r.IntN(9))) % 10
		}
	}
	for i := range tensor.Of[int64](s.Labels()) {
		tensor.Of[int64](s.Labels())[i] = int64(r.IntN(10))
	}
	return s
}

func run(t *testing.T, s *Step) float64 {
	t.Helper()
	loss, err := s.Run()
	if err != nil {
		t.Fatal(err)
	}
	return loss
}

// A step that knows the masks computes the loss and the kept gradients of one
// that multiplies the zeros, while masks change and gradients are now and then
// wanted in full.
func TestMaskedStep(t *testing.T) {
	for _, name := range []string{"lenet-300-100", "lenet-5", "resnet8", "resnet8-b", "vit-tiny", "gpt-tiny"} {
		t.Run(name, func(t *testing.T) {
			g, err := zoo.New(name, zoo.Options{Seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewPCG(3, 4))
			dense := step(t, g, 2)
			steps := []*Step{step(t, g, 1), step(t, g, 2)}
			all := []float64{.7, .95, .3}
			if strings.HasSuffix(name, "-tiny") {
				all = all[1:2]
			}
			for _, sparsity := range all {
				masks := cutWeights(r, g, sparsity)
				for _, whole := range []bool{true, false} {
					want := run(t, dense)
					for k, s := range steps {
						for _, p := range s.Params {
							if m := masks[p.Name]; m != nil && whole {
								if err := s.Mask(p, m); err != nil {
									t.Fatal(err)
								}
							}
						}
						s.DenseGradients(whole)
						if loss := run(t, s); math.Abs(loss-want) > 1e-4*(1+math.Abs(want)) {
							t.Fatalf("loss %v at sparsity %v, want %v", loss, sparsity, want)
						}
						for i, p := range s.Params {
							if k == 1 && !slices.Equal(p.G, steps[0].Params[i].G) {
								t.Fatalf("the gradient of %q differs between 1 and 2 threads", p.Name)
							}
							d, m := dense.Params[i].G, masks[p.Name]
							scale := 0.0
							for _, x := range d {
								scale = math.Max(scale, math.Abs(float64(x)))
							}
							for j, x := range p.G {
								switch cut := m != nil && m[j/64]>>(j%64)&1 == 0; {
								case cut && !whole && x != 0:
									t.Fatalf("entry %d of %q is cut, its gradient is %v", j, p.Name, x)
								case cut && !whole:
								case math.Abs(float64(x-d[j])) > 2e-3*scale+1e-7:
									t.Fatalf("gradient %d of %q is %v, want %v (of at most %v; sparsity %v)", j, p.Name, x, d[j], scale, sparsity)
								}
							}
						}
						if a := testing.AllocsPerRun(5, func() { run(t, s) }); a > 0 {
							t.Errorf("%v allocations a step", a)
						}
					}
				}
				n := 0
				for _, s := range steps[0].prog.Plan() {
					if strings.HasPrefix(s.Kernel, "masked") {
						n++
					}
				}
				if sparsity == .95 && n == 0 || sparsity == .3 && n > 0 {
					t.Errorf("%d masked steps at sparsity %v", n, sparsity)
				}
			}
		})
	}
}

func TestBadMask(t *testing.T) {
	g, _ := zoo.New("mlp:64-16-10", zoo.Options{In: []int{1, 8, 8}, Seed: 1})
	s := step(t, g, 1)
	if err := s.Mask(s.Params[0], make([]uint64, 2)); err == nil || !strings.Contains(err.Error(), "does not fit") {
		t.Error(fmt.Sprint("a mask that is too short: ", err))
	}
}

// A step under masks of 90 %, one whose gradients are wanted in full, and a change
// of all masks.
func BenchmarkMasked(b *testing.B) {
	for _, c := range []struct {
		net   string
		batch int
	}{{"lenet-300-100", 64}, {"gpt-tiny", 32}, {"resnet20", 128}} {
		g, err := zoo.New(c.net, zoo.Options{Seed: 1})
		if err != nil {
			b.Fatal(err)
		}
		s, err := NewStep(g, c.batch, Loss{}, engine.Options{})
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		masks := cutWeights(rand.New(rand.NewPCG(3, 4)), g, .9)
		set := func() {
			for _, p := range s.Params {
				if m := masks[p.Name]; m != nil {
					if err := s.Mask(p, m); err != nil {
						b.Fatal(err)
					}
				}
			}
		}
		bench := func(name string, f func()) {
			b.Run(c.net+"/"+name, func(b *testing.B) {
				for b.Loop() {
					f()
				}
			})
		}
		step := func() {
			if _, err := s.Run(); err != nil {
				b.Fatal(err)
			}
		}
		bench("dense", step)
		set()
		bench("masked", step)
		s.DenseGradients(true)
		bench("dense gradients", step)
		s.DenseGradients(false)
		bench("change of masks", set)
	}
}
