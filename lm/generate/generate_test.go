package generate_test

import (
	"context"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pare/internal/familytest"
	"pare/internal/kernel"
	"pare/lm/decode"
	"pare/lm/family"
	"pare/lm/generate"
)

const config = `{"model_type":"llama","vocab_size":40,"hidden_size":24,"num_hidden_layers":2,"num_attention_heads":6,"num_key_value_heads":2,
	"max_position_embeddings":64,"intermediate_size":32}`

// session is one of a small model whose logits differ.
func session(t testing.TB, sequences, threads int) *decode.Session {
	t.Helper()
	f := familytest.Model(t, config, 3)
	scaled := []*family.Linear{f.Head}
	for _, l := range f.Layers {
		scaled = append(scaled, l.Q, l.K, l.V, l.O, l.Gate, l.Up, l.Down)
	}
	for _, w := range scaled {
		kernel.Scale(15, w.T.F32(), w.T.F32())
	}
	return sessionOf(t, f, decode.Options{Sequences: sequences, Threads: threads})
}

func sessionOf(t testing.TB, f *family.Model, o decode.Options) *decode.Session {
	t.Helper()
	m, err := decode.New(f)
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.NewSession(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func run(t testing.TB, s *decode.Session, prompts [][]int, o generate.Options) []*generate.Text {
	t.Helper()
	texts, err := generate.Run(context.Background(), s, prompts, o)
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

// The likeliest token of each step, one by one.
func TestGreedy(t *testing.T) {
	s := session(t, 1, 1)
	prompt := []int{5, 9, 2}
	text := slices.Clone(prompt)
	var logs []float64
	for len(text) < 20 {
		best, top, sum := 0, float32(0), 0.
		err := s.Run([]decode.Input{{Tokens: text[s.Len(0):]}}, func(_, _ int, y []float32) error {
			best = 0
			for i, x := range y {
				if x > y[best] {
					best = i
				}
			}
			top = y[best]
			for _, x := range y {
				sum += math.Exp(float64(x - top))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		text, logs = append(text, best), append(logs, -math.Log(sum))
	}
	many := session(t, 3, 2)
	texts := run(t, many, [][]int{prompt, {5, 9, 30}, {7}}, generate.Options{Tokens: 17, Top: 3})
	got := texts[0]
	if !slices.Equal(got.Tokens, text[3:]) || got.End != generate.Full {
		t.Errorf("%v (%s), want %v", got.Tokens, got.End, text[3:])
	}
	for i, x := range logs {
		if math.Abs(got.LogProbs[i]-x) > 1e-4 || len(got.Top[i]) != 3 || got.Top[i][0].Token != got.Tokens[i] || math.Abs(math.Log(got.Top[i][0].P)-x) > 1e-4 || got.Top[i][1].P < got.Top[i][2].P {
			t.Fatalf("place %d: %v, %v, want log-probability %v", i, got.LogProbs[i], got.Top[i], x)
		}
	}
	for i, p := range [][]int{{5, 9, 30}, {7}} { // others beside it change nothing
		if alone := run(t, s, [][]int{p}, generate.Options{Tokens: 17}); !slices.Equal(alone[0].Tokens, texts[i+1].Tokens) {
			t.Errorf("prompt %v: %v alone, %v beside others", p, alone[0].Tokens, texts[i+1].Tokens)
		}
	}
	stop := text[8]
	at := slices.Index(text[3:], stop)
	if got := run(t, s, [][]int{prompt}, generate.Options{Stop: []int{stop}})[0]; len(got.Tokens) != at+1 || got.End != generate.Stopped {
		t.Errorf("%v (%s), want an end at %d", got.Tokens, got.End, stop)
	}
	if got := run(t, s, [][]int{prompt}, generate.Options{})[0]; len(got.Tokens) != 62 || got.End != generate.Full { // the last is not fed
		t.Errorf("%d tokens (%s), want 62", len(got.Tokens), got.End)
	}
}

// Samples of one seed are the same, and differ from each other.
func TestSamples(t *testing.T) {
	o := generate.Options{Sampling: generate.Sampling{Temperature: 1, TopK: 20, TopP: .95, MinP: .01, RepetitionPenalty: 1.1}, Samples: 3, Tokens: 12, Seed: 4}
	prompts := [][]int{{1, 2, 3, 4}, {1, 2, 3, 9, 9}}
	told := 0
	a := run(t, session(t, 6, 1), prompts, o)
	o.Each = func(*generate.Text) error { told++; return nil }
	b := run(t, session(t, 8, 2), prompts, o)
	if len(a) != 6 || told != 6*12 {
		t.Fatalf("%d texts, told of %d tokens", len(a), told)
	}
	for i := range a {
		if !slices.Equal(a[i].Tokens, b[i].Tokens) || !reflect.DeepEqual(a[i].LogProbs, b[i].LogProbs) || a[i].Prompt != i/3 || a[i].Sample != i%3 {
			t.Errorf("text %d: %v, then %v", i, a[i].Tokens, b[i].Tokens)
		}
		for j := range i {
			if slices.Equal(a[i].Tokens, a[j].Tokens) {
				t.Errorf("texts %d and %d are the same", i, j)
			}
		}
	}
	o.Seed, o.Each = 5, nil
	if c := run(t, session(t, 6, 1), prompts, o); slices.Equal(c[0].Tokens, a[0].Tokens) {
		t.Error("another seed gives the same text")
	}
}

// Log-probabilities of given texts are those of the texts that were written, for any
// number of sequences.
func TestScore(t *testing.T) {
	s := session(t, 3, 1)
	prompt := []int{5, 9, 2}
	texts := run(t, s, [][]int{prompt}, generate.Options{Sampling: generate.Sampling{Temperature: 1.5}, Samples: 3, Tokens: 9, Seed: 2})
	greedy := run(t, s, [][]int{prompt}, generate.Options{Tokens: 6})[0]
	given := [][]int{texts[0].Tokens, {}, texts[1].Tokens[:1], greedy.Tokens, texts[2].Tokens}
	for _, sequences := range []int{1, 2, 5} {
		got, err := generate.Score(context.Background(), session(t, sequences, 1), prompt, given)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range [][]float64{texts[0].LogProbs, nil, texts[1].LogProbs[:1], greedy.LogProbs, texts[2].LogProbs} {
			sum := 0.
			for k, x := range want {
				if math.Abs(got[i].LogProbs[k]-x) > 1e-4 {
					t.Errorf("%d sequences, text %d: %v, want %v", sequences, i, got[i].LogProbs, want)
					break
				}
				sum += x
			}
			if len(got[i].LogProbs) != len(want) || math.Abs(got[i].Sum-sum) > 1e-3 || got[i].Greedy != (i == 1 || i == 3) {
				t.Errorf("%d sequences, text %d: %+v", sequences, i, got[i])
			}
		}
	}
}

func TestBadOptions(t *testing.T) {
	s := session(t, 2, 1)
	ctx, cancel := context.WithCancel(context.Background())
	for want, c := range map[string]struct {
		prompts [][]int
		o       generate.Options
	}{
		"Samples":       {[][]int{{1}}, generate.Options{Samples: -1}},
		"Tokens":        {[][]int{{1}}, generate.Options{Tokens: -1}},
		"Top":           {[][]int{{1}}, generate.Options{Top: -1}},
		"TopP":          {[][]int{{1}}, generate.Options{Sampling: generate.Sampling{TopP: 2}}},
		"2 sequences":   {[][]int{{1}, {2}}, generate.Options{Samples: 2}},
		"has no tokens": {[][]int{{1}, {}}, generate.Options{}},
		"token 40":      {[][]int{{40}}, generate.Options{}},
		"room":          {[][]int{make([]int, 65)}, generate.Options{}},
	} {
		if _, err := generate.Run(ctx, s, c.prompts, c.o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: want %q", err, want)
		}
	}
	if _, err := generate.Score(ctx, s, nil, nil); err == nil {
		t.Error("a context without tokens is scored")
	}
	if _, err := generate.Score(ctx, s, []int{1}, [][]int{{1, 40}}); err == nil {
		t.Error("a token that is not there is scored")
	}
	cancel()
	if _, err := generate.Run(ctx, s, [][]int{{1}}, generate.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v after it was cancelled", err)
	}
}
