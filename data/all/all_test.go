package all

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pare/catalog"
	"pare/data"
	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/train"
	"pare/train/dynamics"
	"pare/zoo"
)

// job has all that any method works on.
func job(t *testing.T) *data.Job {
	t.Helper()
	set, _ := dataset.Glyph(2, .4, 120, 10, 1)
	g, err := zoo.New("mlp:64-12-10", zoo.Options{In: []int{1, 8, 8}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	opt, err := train.ParseOptimizer("sgd", .9, 0)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "log")
	if _, err = train.Fit(context.Background(), &train.Config{Graph: g, Epochs: 10, Optimizer: opt, Rate: train.Constant(.05), Engine: engine.Options{Threads: 1},
		Train: train.NewData(&dataset.Loader{Set: set, Size: 10, Norm: dataset.Raw, Shuffle: true, Seed: 1}), Hooks: []train.Hook{dynamics.NewRecorder(path, dynamics.About{})}}); err != nil {
		t.Fatal(err)
	}
	log, err := dynamics.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	e, _, err := data.Embed(context.Background(), g, "", set, dataset.Raw, engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float64, set.Len())
	for i := range x {
		x[i] = math.Sin(float64(i))
	}
	s := data.NewScore(set, data.Low, x)
	s.Name = "sine"
	few, _ := dataset.Glyph(2, .4, 30, 10, 2)
	f, _, err := data.Embed(context.Background(), g, "", few, dataset.Raw, engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	return &data.Job{Surrogate: g, Targets: []*data.Target{{Name: "few", Set: few, Embeddings: f}},
		Set: set, Norm: dataset.Raw, Seed: 3, Dynamics: []*dynamics.Log{log}, Networks: []*graph.Graph{g}, Embeddings: e, Score: s}
}

// counting is a language model to which a token is as likely as it is small.
type counting struct{}

func (counting) Loss(_ context.Context, tokens []int) (sum float64, n int, err error) {
	for _, t := range tokens[1:] {
		sum += float64(t)
	}
	return sum, len(tokens) - 1, nil
}

// texts is a job of texts.
func texts() data.Job {
	x := &dataset.Field{Name: "input_ids", Shape: []int{6}, Tokens: 9, Ints: make([]int32, 6*50)}
	for i := range x.Ints {
		x.Ints[i] = int32(i * i % 9)
	}
	return data.Job{Set: dataset.New("training", x), Norm: dataset.Raw, Language: counting{}}
}

// bytesOf are those of the file that a result makes.
func bytesOf(t *testing.T, r *data.Result) string {
	t.Helper()
	var b []byte
	var err error
	if r.Score != nil {
		b, err = r.Score.Encode(".jsonl")
	} else {
		b, err = r.Subset.Encode(".jsonl")
	}
	if err != nil {
		t.Fatal(err)
	}
	f, err := json.Marshal(r.Facts)
	if err != nil {
		t.Fatal(err)
	}
	return string(b) + string(f) + fmt.Sprint(r.Notes)
}

// Every method describes itself, gives a score or a subset, as it says, leaves its
// settings alone, and gives the same for any number of threads.
func TestContract(t *testing.T) {
	j := job(t)
	names := map[string]bool{}
	wide, err := zoo.New("mlp:64-12-11", zoo.Options{In: []int{1, 8, 8}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range List() {
		c := m.Card()
		if c.Noun != "data" || c.Title == "" || c.Paper == "" || c.Doc == "" || names[c.Name] {
			t.Errorf("%+v", c)
		}
		names[c.Name] = true
		before := catalog.Values(m)
		var first string
		for _, threads := range []int{1, 2, 3} {
			k := *j
			if c.Name == "perplexity" {
				k = texts()
			}
			if c.Name == "aum-threshold" {
				k.Networks = []*graph.Graph{wide}
			}
			k.Engine.Threads = threads
			r, err := data.Run(context.Background(), m, &k)
			if err != nil {
				t.Fatal(err)
			}
			if (r.Score != nil) != Scores(m) || (r.Subset != nil) == Scores(m) {
				t.Fatalf("%s gives %+v", c.Name, r)
			}
			text := bytesOf(t, r)
			if first == "" {
				first = text
			}
			if text != first {
				t.Errorf("%s: %d threads give another result", c.Name, threads)
			}
		}
		if !reflect.DeepEqual(before, catalog.Values(m)) {
			t.Errorf("%s changes its settings", c.Name)
		}
	}
}

// Every value outside the choices and the range of a setting is refused, by its field.
func TestRefuses(t *testing.T) {
	for _, m := range List() {
		for _, s := range catalog.Settings(m) {
			var bad []string
			if s.Choices != nil {
				bad = append(bad, "nosuch")
			}
			if s.Range != "" {
				in, err := catalog.ParseInterval(s.Range)
				if err != nil {
					t.Fatal(err)
				}
				if low := fmt.Sprint(in.Lo - 1); low != s.Auto {
					bad = append(bad, low)
				}
				if !math.IsInf(in.Hi, 0) {
					bad = append(bad, fmt.Sprint(in.Hi+1))
				}
				if s.Kind != "count" {
					bad = append(bad, "NaN")
				}
			}
			for _, x := range bad {
				k, err := New(m.Card().Name)
				if err != nil {
					t.Fatal(err)
				}
				if err := catalog.Set(k, s.Name, x); err == nil || !strings.Contains(err.Error(), s.Field) {
					t.Errorf("%s, %s %s: %v", m.Card().Name, s.Name, x, err)
				}
			}
		}
	}
}

// A method that works long ends with its context.
func TestCancelled(t *testing.T) {
	j := job(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, name := range []string{"herding", "k-centre", "prototypes", "grand", "loss", "memorisation", "label-mapping", "feature-mapping"} {
		m, err := New(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := data.Run(ctx, m, j); err == nil {
			t.Errorf("%s does not end", name)
		}
	}
}

func TestNames(t *testing.T) {
	if m, err := New("31"); err != nil || m.Card().Name != "ccs" {
		t.Errorf("%v, %v", m, err)
	}
	if _, err := New("cs"); err == nil || !strings.Contains(err.Error(), "did you mean ccs") {
		t.Error(err)
	}
	if m, _, err := Parse("ccs:keep=0.2:strata=7"); err != nil || catalog.Values(m)["strata"] != "7" {
		t.Error(err)
	}
	var ids []string
	for _, m := range List() {
		if id := m.Card().ID; id != "" {
			ids = append(ids, id)
		}
	}
	if slices.Sort(ids); !slices.Equal(ids, []string{"13", "31", "32", "39", "39"}) {
		t.Errorf("%v", ids)
	}
}
