package blockwise

import (
	"context"
	"fmt"
	"math"
	"runtime/debug"

	"pare/catalog"
	"pare/dataset"
	"pare/graph"
	"pare/internal/kernel"
	"pare/lm/files"
	"pare/model"
	"pare/prune"
	"pare/prune/calibrate"
	"pare/tensor"
)

// Likelihood is how likely a model finds texts.
type Likelihood struct {
	Tokens int     `json:"tokens"` // that were scored
	Loss   float64 `json:"loss"`   // mean of -log p of each, by what stands before it in its sample
}

// Perplexity is e to the loss.
func (l Likelihood) Perplexity() float64 { return math.Exp(l.Loss) }

// Measure scores n samples of the job's data, those that networks are judged by, block by
// block, as pare model perplexity scores windows: each by itself, without its first token.
// dir is where activations go that do not fit into memory.
func Measure(ctx context.Context, j *model.Job, in *files.File, dir string, n int, o Options) (*Likelihood, error) {
	if j.Data == nil {
		return nil, catalog.Errorf("texts are needed to measure a language model with: give {Data}")
	}
	parts, err := in.Parts()
	if err != nil {
		return nil, err
	}
	k := *j
	k.Data = &dataset.Data{Train: j.Data.Eval(), Norm: j.Data.Norm}
	r := &run{PartCut: &model.PartCut{Samples: n}, job: &k, parts: parts, opt: o, facts: &Facts{}}
	if head := parts.Head(); head != "" {
		r.Scope = prune.Scope{Exclude: []string{head}} // it is not read as a whole
	}
	if r.plan, err = r.planned(); err != nil {
		return nil, err
	}
	r.rows = calibrate.NewRows(r.plan.rows, dir)
	defer r.rows.Close() //nolint:errcheck // it is a temporary file
	if err := r.embed(); err != nil {
		return nil, err
	}
	for i := range parts.Layers {
		if parts.Has(i) {
			if err := r.through(ctx, func() (*graph.Graph, error) { return parts.Block(i) }); err != nil {
				return nil, fmt.Errorf("block %d of %d: %w", i+1, parts.Layers, err)
			}
		}
	}
	if err := r.through(ctx, parts.Final); err != nil {
		return nil, err
	}
	return r.score(ctx)
}

// through runs the samples through a part as it is.
func (r *run) through(ctx context.Context, read func() (*graph.Graph, error)) error {
	g, err := read()
	if err != nil || g == nil {
		return err
	}
	if _, err := model.Prepare(g); err != nil {
		return err
	}
	w, err := calibrate.NewWalkOver(g, r.rows, calibrate.Options{Engine: r.job.Engine, Memory: r.plan.walk})
	if err != nil {
		return err
	}
	err = r.forth(ctx, w, g.Outputs[0])
	debug.FreeOSMemory()
	return err
}

// logits of a token: what it takes to normalise its logits, which come piece by piece.
type logits struct{ most, sum, target float64 }

// score compares what comes out with the tokens that follow.
func (r *run) score(ctx context.Context) (*Likelihood, error) {
	out, err := r.parts.Output()
	if err != nil {
		return nil, err
	}
	pool := r.job.Engine.Pool
	if pool == nil && r.job.Engine.Threads == 0 {
		pool = kernel.Shared()
	} else if pool == nil {
		pool = kernel.NewPool(r.job.Engine.Threads)
		defer pool.Close()
	}
	seen := make([][]logits, r.rows.Len())
	for b, ids := range r.tokens {
		seen[b] = make([]logits, len(ids))
		for i := range seen[b] {
			seen[b][i].most = math.Inf(-1)
		}
	}
	step := max(1, r.plan.piece/4/r.parts.Hidden)
	for lo := 0; lo < r.parts.Vocab; lo += step {
		hi := min(lo+step, r.parts.Vocab)
		w, bias, err := out.Rows(lo, hi)
		if err != nil {
			return nil, err
		}
		for b := range seen {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			h, err := r.rows.Get(b)
			if err != nil {
				return nil, err
			}
			r.add(pool, seen[b], r.tokens[b], h, w, bias, lo, hi)
		}
	}
	l := &Likelihood{}
	for b, of := range seen {
		length := r.length[b]
		for i, t := range of {
			if i%length < length-1 {
				l.Tokens++
				l.Loss += t.most + math.Log(t.sum) - t.target
			}
		}
	}
	if l.Tokens == 0 {
		return nil, catalog.Errorf("samples of one token have nothing to be scored: give longer ones in {Data}")
	}
	l.Loss /= float64(l.Tokens)
	return l, nil
}

// add takes up the logits of tokens lo to hi, of a batch.
func (r *run) add(pool *kernel.Pool, seen []logits, ids []int64, h *tensor.Tensor, w, bias []float32, lo, hi int) {
	width, n := r.parts.Hidden, hi-lo
	rows := max(1, min(len(seen), r.plan.piece/4/n))
	y := make([]float32, rows*n)
	for from := 0; from < len(seen); from += rows {
		m := min(rows, len(seen)-from)
		task := &kernel.GemmTask{TransB: true, M: m, N: n, K: width, A: h.F32()[from*width:], Lda: width, B: w, Ldb: width, C: y, Ldc: n}
		task.Run(pool)
		for i := range m {
			t, row := &seen[from+i], y[i*n:(i+1)*n]
			for k, v := range row {
				if bias != nil {
					v += bias[k]
				}
				x := float64(v)
				if c := r.parts.LogitSoftcap; c > 0 {
					x = c * math.Tanh(x/c)
				}
				if x > t.most {
					t.sum, t.most = t.sum*math.Exp(t.most-x), x
				}
				t.sum += math.Exp(x - t.most)
				if from+i+1 < len(ids) && ids[from+i+1] == int64(lo+k) {
					t.target = x
				}
			}
		}
	}
}
