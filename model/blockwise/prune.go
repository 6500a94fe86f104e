package blockwise

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"slices"

	"pare/catalog"
	"pare/graph"
	"pare/graph/op"
	"pare/lm/family"
	"pare/lm/files"
	"pare/model"
	"pare/prune"
	"pare/prune/calibrate"
	"pare/tensor"
)

// Options say how a model is pruned.
type Options struct {
	Memory int // bytes that may be taken; 0: as many as it asks for
	// At is called where most memory is held: with a part that was read, that was cut, and
	// that was let go. nil: nobody asks.
	At func(what string)
}

// Able gives the way in which a method cuts part by part. The error says why it cannot, with
// its settings and a job's, and the way on.
func Able(m model.Method, j *model.Job) (*model.PartCut, error) {
	name := m.Card().Name
	by, ok := m.(model.ByPart)
	switch {
	case !ok:
		return nil, catalog.Errorf("method %s needs the whole network at once: take one that cuts each layer by itself, such as wanda", name)
	case j.Recipe.Epochs > 0:
		return nil, catalog.Errorf("fine-tuning needs the whole network at once: give {Recipe.Epochs} 0")
	case j.Recipe.Recover != "auto" && j.Recipe.Recover != "":
		return nil, catalog.Errorf("{Recipe.Recover} %s needs the network before and after the cut at once: leave it out; method sparsegpt moves the weights that stay as it cuts", j.Recipe.Recover)
	}
	if err := catalog.Validate(m); err != nil {
		return nil, fmt.Errorf("method %s: %w", name, err)
	}
	return by.ByPart()
}

// Prune prunes the model of some files into a folder, which is written when all is done; with
// the job's Save, a run that ended early goes on behind the last block that was done. Each
// block in its turn is read, cut while the samples run through it, run once more for what
// goes into the next, written and let go. What is left is what model.Run leaves of the whole
// network. The job has no network; its samples are tokens. The result has none either, and
// its facts are Facts.
func Prune(ctx context.Context, m model.Method, j *model.Job, in *files.File, dir string, o Options) (*model.Result, error) {
	cut, err := Able(m, j)
	if err != nil {
		return nil, err
	}
	parts, err := in.Parts()
	if err != nil {
		return nil, err
	}
	r := &run{PartCut: cut, job: j, in: in, parts: parts, opt: o, written: map[string]bool{}, facts: &Facts{Blocks: parts.Layers}}
	if err := r.scope(); err != nil {
		return nil, err
	}
	if r.plan, err = r.planned(); err != nil {
		return nil, err
	}
	if err := r.keys(m); err != nil {
		return nil, err
	}
	watch := watchMemory()
	defer watch.end()
	if cut.Samples > 0 {
		r.rows = calibrate.NewRows(r.plan.rows, filepath.Dir(dir))
		defer r.rows.Close() //nolint:errcheck // it is a temporary file
		if err := r.embed(); err != nil {
			return nil, err
		}
	}
	if r.out, err = files.CreateFolder(dir, parts.Config, parts.All, in); err != nil {
		return nil, err
	}
	defer r.out.Abort()
	if err := r.resume(); err != nil {
		return nil, err
	}
	if err := r.blocks(ctx); err != nil {
		return nil, err
	}
	if err := r.rest(ctx); err != nil {
		return nil, err
	}
	notes, err := r.out.Close()
	if err != nil {
		return nil, err
	}
	r.facts.Peak = watch.end()
	return r.result(notes), nil
}

// run is the pruning of a model.
type run struct {
	*model.PartCut
	job   *model.Job
	in    *files.File
	parts *family.Parts
	opt   Options
	plan  plan
	rows  *calibrate.Rows // what goes into the next block; nil: no samples run
	out   *files.Folder

	tokens [][]int64 // of the samples, by batch
	length []int     // tokens of a sample, by batch

	key      []string // facts of the run, where it can go on
	begin    int      // the first block that is not done
	cutParts int      // parts that were cut

	written map[string]bool
	facts   *Facts
	tally   model.PartResult
	left    []prune.Skip // weights that are not in scope
	empty   []string     // layers of which nothing is left
}

// scope checks the patterns, and that there is something to cut.
func (r *run) scope() error {
	var names []string
	some := false
	for _, w := range r.parts.All {
		r.facts.Whole += 4 * size(w.Shape)
		if len(w.Shape) > 1 {
			names = append(names, w.Name)
			some = some || r.cuts(w.Name)
		}
	}
	if err := r.Scope.CheckNames(names); err != nil {
		return err
	}
	if r.Named != nil {
		if err := r.Named(names); err != nil {
			return err
		}
	}
	if !some {
		return catalog.Errorf("no weight of a block, and no output layer, is among the names that are asked for: give other patterns in {Include} or {Exclude}")
	}
	return nil
}

// cuts says whether a weight of two axes is one that may be cut: tables stay.
func (r *run) cuts(name string) bool {
	_, inside := r.parts.BlockOf(name)
	return (inside || name == r.parts.Head()) && r.Scope.Match(name)
}

func size(shape []int) int { n, _ := tensor.Size(shape); return n }

// embed makes what goes into the first block.
func (r *run) embed() error {
	e, err := r.parts.Embedding()
	if err != nil {
		return err
	}
	g, err := tokens()
	if err != nil {
		return err
	}
	j := r.job.On(g)
	j.Together, r.facts.Together = r.plan.together, r.plan.together
	batches, err := j.Calibration(r.Samples)
	if err != nil {
		return err
	}
	return batches(func(in map[string]*tensor.Tensor) error {
		ids := in["input_ids"]
		if ids == nil {
			return catalog.Errorf("the samples have nothing for input %q: give {Data} of texts", "input_ids")
		}
		h, err := e.Of(ids)
		if err != nil {
			return err
		}
		r.tokens, r.length = append(r.tokens, slices.Clone(tensor.Of[int64](ids))), append(r.length, ids.Shape[1])
		return r.rows.Add(h)
	})
}

// samples is the number of those that run.
func (r *run) samples() (n int) {
	for b, ids := range r.tokens {
		n += len(ids) / r.length[b]
	}
	return n
}

// tokens is a network that takes what a language model takes, for the samples to be seen
// with.
func tokens() (*graph.Graph, error) {
	g := graph.New("tokens", 20)
	b := op.NewBuilder(g, "tokens")
	v := &graph.Value{Name: "input_ids", DType: tensor.Int64, Shape: graph.Shape{graph.Sym(family.BatchAxis), graph.Sym(family.TimeAxis)}}
	g.Inputs = []*graph.Value{v}
	g.Outputs = []*graph.Value{b.Attr("Cast", []graph.Attr{graph.MakeAttr("to", tensor.Float32)}, v)}
	if err := b.Err(); err != nil {
		return nil, err
	}
	return g, op.InferAll(g)
}

// blocks cuts the blocks in their order.
func (r *run) blocks(ctx context.Context) error {
	for i := r.begin; i < r.parts.Layers; i++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !r.parts.Has(i) {
			continue
		}
		what := fmt.Sprintf("block %d of %d", i+1, r.parts.Layers)
		last := i == r.parts.Layers-1 && !r.endCut()
		if err := r.part(ctx, what, last, func() (*graph.Graph, error) { return r.parts.Block(i) }); err != nil {
			return err
		}
		if err := r.save(i+1, last); err != nil {
			return err
		}
	}
	return nil
}

// endCut says whether the output layer is cut as well.
func (r *run) endCut() bool { return r.parts.Head() != "" && r.cuts(r.parts.Head()) }

// part works on a part of the model, of which nothing is held when it returns.
func (r *run) part(ctx context.Context, what string, last bool, read func() (*graph.Graph, error)) error {
	if err := r.work(ctx, what, last, read); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	debug.FreeOSMemory()
	r.at(what + " is let go")
	return nil
}

// work reads a part, cuts it, writes what was cut, and runs the samples through what is left,
// unless it is the last.
func (r *run) work(ctx context.Context, what string, last bool, read func() (*graph.Graph, error)) error {
	g, err := read()
	if err == nil {
		_, err = model.Prepare(g)
	}
	if err != nil {
		return err
	}
	r.at(what + " is read")
	p := &model.Part{Job: r.job.On(g), Count: r.samples(), Calibrate: calibrate.Options{Engine: r.job.Engine, Memory: r.plan.walk, Moments: r.plan.moments}}
	if p.Weights, err = prune.PartWeights(g, r.Scope); err != nil {
		return err
	}
	r.left = append(r.left, prune.Skipped(g, r.Scope)...)
	if r.rows != nil {
		if p.Walk, err = calibrate.NewWalkOver(g, r.rows, p.Calibrate); err != nil {
			return err
		}
	}
	if len(p.Weights) > 0 {
		if err := r.cutPart(ctx, what, p); err != nil {
			return err
		}
	}
	if r.rows == nil || last {
		return nil
	}
	return r.forth(ctx, p.Walk, g.Outputs[0])
}

// cutPart cuts a part and writes its weights.
func (r *run) cutPart(ctx context.Context, what string, p *model.Part) error {
	done, err := r.Cut(ctx, p)
	if err != nil {
		return err
	}
	r.tally.Join(done)
	r.empty = append(r.empty, done.Masks.Empty()...)
	kept, all := 0, 0
	for i, w := range done.Masks.Weights {
		l := Layer{w.Name, w.Len(), done.Masks.Mask[i].Count()}
		r.facts.Layers = append(r.facts.Layers, l)
		kept, all = kept+l.Kept, all+l.Entries
	}
	if err := r.write(p, done.Masks.Weights); err != nil {
		return err
	}
	r.job.Logf("%s: %d of %d weights stay", what, kept, all)
	r.at(what + " is cut")
	return nil
}

// forth runs the samples through a part that was cut.
func (r *run) forth(ctx context.Context, w *calibrate.Walk, y *graph.Value) error {
	v := w.View([]*graph.Value{y}, nil)
	defer v.Close()
	for b := range w.Batches() {
		t, err := v.Run(ctx, b)
		if err != nil {
			return err
		}
		if i := t[0].Finite(); i >= 0 {
			return fmt.Errorf("the activations that the samples make there are not finite")
		}
		if err := r.rows.Put(b, t[0]); err != nil {
			return err
		}
	}
	return nil
}

// rest cuts the output layer where that is asked for, and writes all that was not cut as it is
// stored.
func (r *run) rest(ctx context.Context) error {
	if r.endCut() {
		if err := r.part(ctx, "the output layer", true, r.parts.End); err != nil {
			return err
		}
	}
	for _, w := range r.parts.All {
		if r.written[w.Name] {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		t, err := r.parts.Read(w.Name)
		if err != nil {
			return err
		}
		if i := t.Finite(); i >= 0 {
			return fmt.Errorf("weight %q has a NaN or infinity at entry %d: the network is broken", w.Name, i)
		}
		if err := r.out.Write(w.Name, t); err != nil {
			return err
		}
	}
	return nil
}

// result tells what was done.
func (r *run) result(notes []string) *model.Result {
	res := &model.Result{Facts: r.facts}
	for _, n := range notes {
		res.Note("%s", n)
	}
	if r.rows != nil {
		r.facts.Spilled = r.rows.Spilled()
	}
	r.tally.Tell(res)
	if r.PartCut.Tell != nil {
		r.PartCut.Tell(res, r.tally.Counts)
	}
	for _, w := range r.parts.All {
		if _, inside := r.parts.BlockOf(w.Name); inside || len(w.Shape) < 2 || w.Name == r.parts.Head() && r.endCut() {
			continue
		}
		why := "is a table of embeddings, of which whole rows are looked up: it stays"
		if w.Name == r.parts.Head() {
			why = "is not among the names that are asked for"
		}
		r.left = append(r.left, prune.Skip{Name: w.Name, Len: size(w.Shape), Why: why})
	}
	res.NoteLeft(r.left)
	res.NoteEmpty(r.empty)
	return res
}

// at tells where the work has come to.
func (r *run) at(what string) {
	if r.opt.At != nil {
		r.opt.At(what)
	}
}
