package dynamics

import (
	"bytes"
	"context"
	"math"
	"os"
	"path/filepath"
	"testing"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/train"
	"pare/zoo"
)

// short is a training of 4 epochs of 3 batches of 7, of 25 samples.
func short(t *testing.T, path string) (*train.Config, *dataset.Set) {
	t.Helper()
	g, err := zoo.New("mlp:64-12-10", zoo.Options{In: []int{1, 8, 8}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	all, _ := dataset.Glyph(2, .5, 40, 10, 1)
	var at []int32
	for i := range int32(25) {
		at = append(at, i+10)
	}
	set, err := all.Pick(at)
	if err != nil {
		t.Fatal(err)
	}
	opt, err := train.ParseOptimizer("sgd", .9, 0)
	if err != nil {
		t.Fatal(err)
	}
	return &train.Config{Graph: g, Epochs: 4, Optimizer: opt, Rate: train.Constant(.05), Engine: engine.Options{Threads: 1},
		Train: train.NewData(&dataset.Loader{Set: set, Size: 7, Norm: dataset.Raw, Shuffle: true, Seed: 3}),
		Hooks: []train.Hook{NewRecorder(path, About{Network: "net", Seed: 3})}}, set
}

// oracle notes, in plain loops over what the network gives before each step, what a log
// should have.
type oracle struct {
	train.Observer
	t   *testing.T
	set *dataset.Set
	// by epoch and stored number: probability of the label, of the best other, distance
	p map[[2]int][3]float64
}

func (o *oracle) BeforeStep(r *train.Run) error {
	l := &dataset.Loader{Set: o.set, Size: 7, Norm: dataset.Raw, Shuffle: true, Seed: 3}
	at := l.Numbers(r.Epoch, r.Index, nil)
	for _, k := range at {
		one, err := o.set.Pick([]int32{k})
		if err != nil {
			return err
		}
		err = train.NewEval(one, dataset.Raw, 1, engine.Options{Threads: 1}).Outputs(context.Background(), r.Graph, func(out []float32, _ int) error {
			sum := 0.0
			for _, v := range out {
				sum += math.Exp(float64(v))
			}
			y := int(one.Label(0))
			var x [3]float64
			for c, v := range out {
				p := math.Exp(float64(v)) / sum
				if c == y {
					x[0] = p
					p--
				} else {
					x[1] = max(x[1], p)
				}
				x[2] += p * p
			}
			x[2] = math.Sqrt(x[2])
			o.p[[2]int{r.Epoch, int(k)}] = x
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func record(t *testing.T, path string, more ...train.Hook) *Log {
	t.Helper()
	cfg, _ := short(t, path)
	cfg.Hooks = append(cfg.Hooks, more...)
	if _, err := train.Fit(context.Background(), cfg); err != nil {
		t.Fatal(err)
	}
	l, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A log has what the network gave for every sample before the step that it took part in.
func TestRecorder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	_, set := short(t, path)
	o := &oracle{t: t, set: set, p: map[[2]int][3]float64{}}
	l := record(t, path, o)
	if l.Samples != 25 || l.Stored != 40 || l.Classes != 10 || len(l.Epochs) != 4 || l.Numbers[0] != 10 || l.Data != set.Stored().Digest() || l.Network != "net" {
		t.Errorf("%+v, %v", l.About, l.Numbers)
	}
	count := 0
	for e := range l.Epochs {
		for i, k := range l.Numbers {
			want, was := o.p[[2]int{e, int(k)}]
			seen, right := l.Epochs[e].Was(i)
			if seen != was {
				t.Fatalf("epoch %d, sample %d: seen is %v", e, k, seen)
			}
			if !seen {
				continue
			}
			count++
			if d := l.Epochs[e].Margin(i) - (want[0] - want[1]); math.Abs(d) > 2e-5 {
				t.Errorf("epoch %d, sample %d: margin %v, not %v", e, k, l.Epochs[e].Margin(i), want[0]-want[1])
			}
			if d := l.Epochs[e].Distance(i) - want[2]; math.Abs(d) > 2e-5 {
				t.Errorf("epoch %d, sample %d: distance %v, not %v", e, k, l.Epochs[e].Distance(i), want[2])
			}
			if right != (want[0] > want[1]) {
				t.Errorf("epoch %d, sample %d: right is %v with %v", e, k, right, want)
			}
		}
	}
	if count != 4*21 {
		t.Errorf("%d samples were seen", count)
	}
}

// stop ends the context after a number of steps.
type stop struct {
	train.Observer
	at     int
	cancel func()
}

func (s *stop) AfterStep(r *train.Run) error {
	if r.Step == s.at {
		s.cancel()
	}
	return nil
}

// A training that is stopped in an epoch and goes on leaves the same bytes, and the
// weights are those of a training that nobody looked at.
func TestResumed(t *testing.T) {
	dir := t.TempDir()
	whole, part := filepath.Join(dir, "whole"), filepath.Join(dir, "part")
	record(t, whole)
	want, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	var last *graph.Graph
	for _, at := range []int{2, 7, 0} {
		cfg, _ := short(t, part)
		cfg.Save, cfg.Resume = filepath.Join(dir, "checkpoint"), true
		ctx, cancel := context.WithCancel(context.Background())
		cfg.Hooks = append(cfg.Hooks, &stop{at: at, cancel: cancel})
		if _, err := train.Fit(ctx, cfg); (err != nil) != (at > 0) {
			t.Fatalf("stopped at %d: %v", at, err)
		}
		cancel()
		last = cfg.Graph
	}
	if got, err := os.ReadFile(part); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the log of the resumed training is another: %v", err)
	}
	plain, _ := short(t, "")
	plain.Hooks = nil
	if _, err := train.Fit(context.Background(), plain); err != nil {
		t.Fatal(err)
	}
	for i, p := range plain.Graph.Params() {
		for k, v := range p.Const.F32() {
			if v != last.Params()[i].Const.F32()[k] {
				t.Fatalf("weight %s is another", p.Name)
			}
		}
	}
	cfg, _ := short(t, part)
	cfg.Hooks[0].(*Recorder).About.Network = "other"
	cfg.Save, cfg.Resume, cfg.Epochs = filepath.Join(dir, "checkpoint"), true, 5
	if _, err := train.Fit(context.Background(), cfg); err == nil {
		t.Error("the log of another training is written on")
	}
}

func TestRecorderRefuses(t *testing.T) {
	cfg, set := short(t, filepath.Join(t.TempDir(), "log"))
	y := *set.Class()
	y.Classes = 0
	cfg.Train = train.NewData(&dataset.Loader{Set: &dataset.Set{Name: "x", Fields: []*dataset.Field{set.X(), &y}}, Size: 5, Norm: dataset.Raw})
	if _, err := train.Fit(context.Background(), cfg); err == nil {
		t.Error("samples without classes are logged")
	}
}

func sample(t testing.TB) []byte {
	a := &About{Data: "d", Samples: 3, Stored: 9, Classes: 2}
	b, err := head(a, []int32{1, 4, 8})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		e := newEpoch(3)
		e.note(1, []float32{1, 2}, 0)
		b = append(b, e.encode()...)
	}
	return b
}

// Every byte that is cut off, and every epoch that is changed, is noticed.
func TestHostile(t *testing.T) {
	b := sample(t)
	if l, err := read(bytes.NewReader(b), int64(len(b))); err != nil || len(l.Epochs) != 2 {
		t.Fatalf("%v: %v", l, err)
	}
	each := bytesOf(3)
	for n := range len(b) {
		if n == len(b)-each {
			continue // a whole epoch less
		}
		if _, err := read(bytes.NewReader(b[:n]), int64(n)); err == nil {
			t.Fatalf("%d of %d bytes are read", n, len(b))
		}
	}
	for i := len(b) - 2*each; i < len(b); i++ {
		c := bytes.Clone(b)
		c[i] ^= 4
		if _, err := read(bytes.NewReader(c), int64(len(c))); err == nil {
			t.Fatalf("byte %d changed is read", i)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(sample(f))
	f.Add([]byte(magic + "\x02\x00\x00\x00{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := read(bytes.NewReader(b), int64(len(b)))
		if err == nil && (len(l.Numbers) != l.Samples || len(l.Epochs) == 0) {
			t.Errorf("%+v", l.About)
		}
	})
}
