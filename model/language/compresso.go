package language

import (
	_ "embed"

	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"pare/catalog"
	"pare/model"
	"pare/prune"
	"pare/prune/hook"
	"pare/prune/structure"
	"pare/train"
)

// Compresso is structured pruning of language models by gates that are learned together
// with low-rank adapters.
type Compresso struct {
	Sparsity   float64  `flag:"sparsity" target:"yes" range:"(0,0.95)" doc:"share of the weights of attention and feed-forward layers that goes"`
	Parts      []string `flag:"parts" kind:"heads,intermediate,hidden" doc:"what is gated: heads of attention (with grouped queries all heads that share keys and values), intermediate (places between the feed-forward layers), hidden (the width of the stream)"`
	Choose     string   `flag:"choose" choice:"gates,norm,random" doc:"how what goes is chosen: gates (learned), or, to compare with, norm (the same share of each layer's heads and feed-forward places, those of the smallest L2 norm) or random, before the training, in which the adapters alone are trained then"`
	Warm       train.At `flag:"constraint-warm" doc:"steps over which the sparsity that is asked of the gates rises from 0"`
	Rise       string   `flag:"constraint-rise" choice:"linear,cubic" doc:"how it rises"`
	Tolerance  float64  `flag:"tolerance" range:"[0,1)" doc:"sparsity that may lack: gates that are expected to leave so much more are a candidate, and hard ones are not adjusted"`
	GateLR     float64  `flag:"gate-lr" range:"(0,)" doc:"learning rate of the gates' logits, by AdamW"`
	Multiplier float64  `flag:"multiplier-lr" range:"[0,)" doc:"learning rate of the multipliers of the constraint, by AdamW, upwards"`
	Rank       int      `flag:"lora-rank" range:"[1,)" doc:"of the products beside the projections of queries and values"`
	Alpha      float64  `flag:"lora-alpha" range:"(0,)" doc:"products are added lora-alpha/lora-rank times"`
	LoraLR     float64  `flag:"lora-lr" range:"(0,)" doc:"peak learning rate of the products, by AdamW without decay, linear to 0; the recipe's rate, schedule and optimiser are not used"`
	PromptFile string   `flag:"prompt-file" doc:"a text that stands before every sample in training, and is to stand there in use: a file, none, or nothing for the method's own before instructions with responses, and none before other texts"`
	Tune       int      `flag:"tune" range:"[0,)" doc:"further epochs for the products, with the gates as they are in the end"`
	TuneLR     float64  `flag:"tune-lr" range:"(0,)" doc:"peak learning rate of these, which falls along a cosine"`
	model.Layers
}

//go:embed compresso.md
var compressoDoc string

var compressoCard = &catalog.Card{
	ID: "35", Name: "compresso", Noun: "model", Title: "Structured pruning of language models by learned gates, with a prompt (Compresso)",
	Paper: "Guo, Xu, Zhang, Yang: Compresso: Structured Pruning with Collaborative Prompting Learns Compact Large Language Models (2023). arXiv 2310.05015",
	Cuts:  "heads, feed-forward and embedding width", Needs: catalog.Trains, Doc: compressoDoc,
	Axes: catalog.Axes{SpeedUp: "universal", When: "after", How: "gates regularisation one-shot retrain", Supervision: "labels", Fusion: "low-rank"},
}

// NewCompresso gives the method with its defaults.
func NewCompresso() *Compresso {
	return &Compresso{Sparsity: .3, Parts: []string{"heads", "intermediate", "hidden"}, Choose: "gates", Warm: train.Share(.5), Rise: "linear", Tolerance: .005, GateLR: .1, Multiplier: .1,
		Rank: 8, Alpha: 8, LoraLR: 5e-5, TuneLR: 4e-4}
}

// Card describes the method.
func (*Compresso) Card() *catalog.Card { return compressoCard }

// Drives says that the trainings are the method's own.
func (*Compresso) Drives() bool { return true }

// CompressoFacts are what the gates came to.
type CompressoFacts struct {
	Target      float64           `json:"target"`
	Expected    []float64         `json:"expected,omitempty"` // sparsity that the gates are expected to leave, after each epoch
	Epoch       int               `json:"epoch,omitempty"`    // whose gates and products are used; 0: the last's, which are no candidate
	Hard        float64           `json:"hard"`               // sparsity of the gates that were made of them
	Adjusted    int               `json:"adjusted,omitempty"` // gates that were put back (negative: taken away) to come nearer to the target
	Sparsity    float64           `json:"sparsity"`           // in the end
	Multipliers [2]float64        `json:"multipliers"`
	Trained     int               `json:"trained"` // numbers of the products
	Prompt      int               `json:"prompt"`  // tokens
	Vectors     []CompressoVector `json:"vectors"`
}

// CompressoVector is what stays of a group.
type CompressoVector struct {
	Name  string         `json:"name"` // of a weight that makes it
	Kind  structure.Kind `json:"kind"`
	Of    int            `json:"of"`
	Kept  []int          `json:"kept"`
	Gates []float64      `json:"gates"` // of those
}

// Run trains gates and products, and cuts.
func (s *Compresso) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	l, warm, err := s.check(j)
	if err != nil {
		return nil, err
	}
	res := &model.Result{}
	f := &CompressoFacts{Target: s.Sparsity}
	res.Facts = f
	for _, n := range l.notes {
		res.Note("%s", n)
	}
	search := s.recipe(j, j.Recipe.Epochs, s.LoraLR, "linear")
	if search.Data, f.Prompt, err = s.prompted(j, res); err != nil {
		return nil, err
	}
	ad, err := s.adapters(j, l, res)
	if err != nil {
		return nil, err
	}
	var adapted []string
	for _, a := range ad.Of {
		adapted = append(adapted, a.Name)
		f.Trained += a.Change.Count(a.Rows, a.Cols)
	}
	gated, m, err := l.gated(j.Graph, adapted)
	if err != nil {
		return nil, err
	}
	search = search.On(gated)
	h := &l0{layout: l, Gates: m, Adapters: ad, Target: s.Sparsity, Tolerance: s.Tolerance, Warm: warm, Cubic: s.Rise == "cubic", Rate: s.GateLR, Multiplier: s.Multiplier, Seed: j.Seed,
		Each: j.Steps() / j.Recipe.Epochs, Judged: j.Data.Val != nil}
	h.newLogits()
	if s.Choose != "gates" {
		h.Fixed = s.chosen(j, l)
	}
	tune := s.recipe(search, s.Tune, s.TuneLR, "cosine")
	runs := j.NewSeries(1 + min(1, s.Tune))
	runs.Steps = search.Steps() + tune.Steps()
	epochs, err := runs.Fit(ctx, search, gated, ad, h)
	if err != nil {
		return nil, err
	}
	res.Add(epochs)
	z := s.settle(h, f, res)
	h.fix(z)
	if s.Tune > 0 {
		if epochs, err = runs.Fit(ctx, tune, gated, ad, h); err != nil {
			return nil, err
		}
		res.Add(epochs)
	}
	return res, s.finish(ctx, j, h, z, f, res)
}

// check says what is wrong with the settings, before any work, and finds what may go and
// the steps of the warm-up.
func (s *Compresso) check(j *model.Job) (*layout, int, error) {
	if err := j.NeedsTraining("gates and products are learned by training"); err != nil {
		return nil, 0, err
	}
	for i, p := range s.Parts {
		if !slices.Contains([]string{"heads", "intermediate", "hidden"}, p) || slices.Contains(s.Parts[:i], p) {
			return nil, 0, catalog.Errorf("{Parts} %s: some of heads, intermediate, hidden, each once", strings.Join(s.Parts, ","))
		}
	}
	warm, err := j.StepAt("Warm", s.Warm)
	if err != nil {
		return nil, 0, err
	}
	parts := s.Parts
	if s.Choose != "gates" {
		parts = slices.DeleteFunc(slices.Clone(parts), func(p string) bool { return p == "hidden" })
	}
	l, err := newLayout(j.Graph, parts, s.Scope())
	if err != nil {
		return nil, 0, err
	}
	least, most := make([]float64, l.gates), make([]float64, l.gates)
	for i := range least {
		least[i], most[i] = logitHigh, logitLow
	}
	if start := l.sparsity(l.expected(least), nil); s.Sparsity <= start {
		return nil, 0, catalog.Errorf("{Sparsity} %v: gates that are as open as they can be are expected to leave %.4f away already: ask for more", s.Sparsity, start)
	}
	if end := l.sparsity(l.expected(most), nil); s.Sparsity > end {
		return nil, 0, catalog.Errorf("{Sparsity} %v: what {Parts}, {Include} and {Exclude} let go takes away %.4f at most", s.Sparsity, end)
	}
	return l, warm, nil
}

// recipe is a job's training of the products.
func (s *Compresso) recipe(j *model.Job, epochs int, rate float64, schedule string) *model.Job {
	k := *j
	k.Recipe.Epochs, k.Recipe.LR, k.Recipe.Schedule = epochs, rate, schedule
	k.Recipe.Optimizer, k.Recipe.Decay, k.Recipe.Keep = "adamw", 0, "last"
	return &k
}

// adapters are products beside the weights that make queries and values.
func (s *Compresso) adapters(j *model.Job, l *layout, res *model.Result) (*hook.Adapters, error) {
	ws, err := prune.Weights(j.Graph, prune.Scope{})
	if err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(j.Seed, 0x9e49))
	ad := &hook.Adapters{}
	var left []string
	for _, name := range l.attended(j.Graph) {
		i := slices.IndexFunc(ws, func(w *prune.Weight) bool { return w.Name == name })
		if i < 0 {
			left = append(left, name)
			continue
		}
		w, ok := matrixOf(ws[i])
		if !ok {
			left = append(left, name)
			continue
		}
		p := w.product(s.Rank, s.Alpha)
		w.draw(p, r)
		ad.Of = append(ad.Of, hook.Over(w.Name, w.Data(), w.rows, w.cols, w.at, p))
	}
	if len(ad.Of) == 0 {
		return nil, catalog.Errorf("no matrix is found that makes queries or values, beside which products could be trained")
	}
	if len(left) > 0 {
		res.Note("no product is trained beside %s: it is no matrix of outputs by inputs", strings.Join(left, ", "))
	}
	return ad, nil
}

// chosen are gates that are chosen before the training.
func (s *Compresso) chosen(j *model.Job, l *layout) []float64 {
	draw := rand.New(rand.NewPCG(j.Seed, 0x35))
	rates := structure.Score(l.groups, structure.Squares)
	z, a := make([]float64, l.gates), make([]float64, l.gates)
	learned := 0.
	for _, v := range l.vectors {
		if v.learned {
			learned += float64(v.n) * (v.own + v.shared)
		}
	}
	for _, v := range l.vectors {
		for c := range v.n {
			z[v.first+c], a[v.first+c] = 1, rates[v.group][c]
			if s.Choose == "random" {
				a[v.first+c] = draw.Float64()
			}
		}
		if !v.learned {
			continue
		}
		gone := int(math.Round(s.Sparsity * l.whole / learned * float64(v.n)))
		for _, c := range ranked(a[v.first : v.first+v.n])[:min(gone, v.n)] {
			z[v.first+c] = 0
		}
	}
	l.adjust(z, a, s.Sparsity, 0)
	for i, x := range z {
		if x != 0 {
			z[i] = 1
		}
	}
	return z
}

// settle goes back to the best candidate, and makes hard gates of its logits.
func (s *Compresso) settle(h *l0, f *CompressoFacts, res *model.Result) []float64 {
	if h.Fixed != nil {
		f.Hard = h.sparsity(h.count(h.Fixed), nil)
		f.Sparsity = f.Hard
		return h.Fixed
	}
	f.Expected, f.Multipliers = h.Course, h.Lambda
	if h.restore() {
		f.Epoch = h.BestEpoch
	} else {
		res.Note("the gates were never expected to leave away more than %.3f of the %v that is asked for: those of the last epoch are used, and the rest is chosen by their logits; more {Recipe.Epochs} or a smaller {Recipe.Batch} make more steps", slices.Max(h.Course), s.Sparsity)
	}
	z := h.harden(h.A)
	f.Hard = h.sparsity(h.count(z), nil)
	if f.Sparsity = f.Hard; math.Abs(f.Hard-s.Sparsity) > s.Tolerance {
		f.Adjusted = h.adjust(z, h.A, s.Sparsity, s.Tolerance)
		f.Sparsity = h.sparsity(h.count(z), nil)
	}
	return z
}

// finish merges the products, folds the gates and cuts.
func (s *Compresso) finish(ctx context.Context, j *model.Job, h *l0, z []float64, f *CompressoFacts, res *model.Result) error {
	for _, a := range h.Adapters.Of {
		a.Fuse(j.Graph.Value(a.Name).Const.F32())
	}
	if err := h.fold(j.Graph, z); err != nil {
		return err
	}
	g, kept, gone, left, err := h.cut(j.Graph, z)
	if err != nil {
		return err
	}
	res.Graph, res.Kept = g, kept
	f.tell(h.layout, z)
	if h.Course != nil {
		res.Note("expected sparsity %.4f, hard %.4f, in the end %.4f of the weights of attention and feed-forward layers (asked for: %v)", h.sparsity(h.expected(h.A), nil), f.Hard, f.Sparsity, s.Sparsity)
	} else {
		res.Note("%.4f of the weights of attention and feed-forward layers go (asked for: %v)", f.Sparsity, s.Sparsity)
	}
	if math.Abs(f.Sparsity-s.Sparsity) > .01 {
		res.Note("that is %.1f points away from what is asked for: there are too few gates to come nearer", 100*math.Abs(f.Sparsity-s.Sparsity))
	}
	if len(gone) > 0 {
		res.Note("nothing is left of %s: the shortcut beside it stays", strings.Join(gone, ", "))
	}
	if len(left) > 0 {
		res.Note("nothing is to be left of the channels of %s, which cannot go as a whole: one that gives zeros stays", strings.Join(left, ", "))
	}
	res.Note("%d numbers were trained, by AdamW at a peak rate of %v ({LoraLR}); the recipe's rate, schedule and optimiser are not used", f.Trained, s.LoraLR)
	_, err = j.Repair(ctx, res)
	return err
}

// tell lists what stays.
func (f *CompressoFacts) tell(l *layout, z []float64) {
	for _, v := range l.vectors {
		t := CompressoVector{Name: v.Name, Kind: v.kind, Of: v.n, Kept: []int{}, Gates: []float64{}}
		for c, x := range z[v.first : v.first+v.n] {
			if x != 0 {
				t.Kept, t.Gates = append(t.Kept, c), append(t.Gates, x)
			}
		}
		f.Vectors = append(f.Vectors, t)
	}
}
