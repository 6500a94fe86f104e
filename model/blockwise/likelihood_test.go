package blockwise_test

import (
	"context"
	"errors"
	"math"
	"os"
	"strings"
	"testing"

	"pare/dataset"
	"pare/engine"
	"pare/model"
	"pare/model/blockwise"
	"pare/tensor"
)

// How likely a model finds texts comes block by block, and piece by piece of its vocabulary, as
// from the logits of the whole.
func TestLikelihood(t *testing.T) {
	const n = 11
	d := text(t, 16)
	for name, config := range configs {
		if name == "opt" {
			config = strings.Replace(config, `"ffn_dim"`, `"tie_word_embeddings":false,"ffn_dim"`, 1)
		}
		in := folder(t, config, tensor.BFloat16)
		g, err := open(t, in).Graph()
		if err != nil {
			t.Fatal(err)
		}
		batches, err := job(&dataset.Data{Train: d.Eval(), Norm: d.Norm}).On(g).Calibration(n)
		if err != nil {
			t.Fatal(err)
		}
		want, count := 0.0, 0
		if err := batches(func(in map[string]*tensor.Tensor) error {
			ids := in["input_ids"]
			p, err := engine.Compile(g, map[string]int{"batch": ids.Shape[0], "sequence": ids.Shape[1]}, engine.Options{Threads: 1})
			if err != nil {
				return err
			}
			defer p.Close()
			if err := p.Input("input_ids").Copy(ids); err != nil {
				return err
			}
			if err := p.Run(); err != nil {
				return err
			}
			y := p.Output("logits")
			for i := range ids.Len() {
				if i%16 == 15 {
					continue
				}
				row, sum := y.F32()[i*400:(i+1)*400], 0.0
				for _, v := range row {
					sum += math.Exp(float64(v))
				}
				want += math.Log(sum) - float64(row[tensor.Of[int64](ids)[i+1]])
				count++
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		want /= float64(count)
		measure := func(memory int) (*blockwise.Likelihood, error) {
			return blockwise.Measure(context.Background(), job(d), open(t, in), t.TempDir(), n, blockwise.Options{Memory: memory})
		}
		little := 100 << 10 // the least that does
		for ; little < 1<<20; little += 10 << 10 {
			if _, err := measure(little); err == nil {
				break
			}
		}
		for _, memory := range []int{0, little} {
			got, err := measure(memory)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got.Tokens != count || math.Abs(got.Loss/want-1) > 1e-5 || want < 5 || math.Abs(got.Perplexity()/math.Exp(want)-1) > 1e-4 {
				t.Errorf("%s, %d bytes: %d tokens, a loss of %v; want %d, %v", name, memory, got.Tokens, got.Loss, count, want)
			}
		}
	}
}

// A measurement that ends early, or has nothing to measure with, says so and leaves nothing.
func TestNoLikelihood(t *testing.T) {
	in, dir := open(t, llama(t)), t.TempDir()
	ctx, stop := context.WithCancel(context.Background())
	stop()
	for want, c := range map[string]struct {
		ctx context.Context
		j   *model.Job
		o   blockwise.Options
	}{
		"canceled":   {ctx, job(text(t, 16)), blockwise.Options{}},
		"Data":       {context.Background(), job(nil), blockwise.Options{}},
		"one token":  {context.Background(), job(text(t, 1)), blockwise.Options{}},
		"one sample": {context.Background(), job(text(t, 16)), blockwise.Options{Memory: 1 << 15}},
	} {
		if _, err := blockwise.Measure(c.ctx, c.j, in, dir, 8, c.o); err == nil || !strings.Contains(err.Error(), want) || want == "canceled" && !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want something with %q", err, want)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
