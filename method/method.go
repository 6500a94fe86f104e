// Package method holds the published methods, each a value that describes
// itself: the catalogue, the command's flags and help, the documentation and
// the reproduction all come from that value.
package method

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"strings"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/prune"
	"pare/train"
)

// Need says what a method must be given beside the network.
type Need uint8

// The needs, each including those before it.
const (
	Weights Need = iota // nothing else; data lets it fine-tune
	Samples             // data without labels
	Labels              // data with labels
	Trains              // data with labels, and a training recipe
)

func (n Need) String() string {
	return [...]string{"weights only", "unlabelled data", "labelled data", "training"}[n]
}

// Method is a published method.
type Method struct {
	ID       string // number of its specification, "" for a baseline
	Name     string
	Title    string
	Paper    string // authors, year, arXiv
	Doc      string // what it does and where it departs from the paper, in paragraphs
	Cuts     string // weights, channels, …
	Needs    Need
	Settings func() any // a fresh pointer to the settings' struct with their defaults
	Run      func(ctx context.Context, j *Job) (*Result, error)
	Claims   *Experiment // the paper's claim at small scale; nil: none
}

// Recipe is how a network is trained or trained on.
type Recipe struct {
	Epochs    int     `flag:"epochs" doc:"passes over the training set (0: no training)"`
	Batch     int     `flag:"batch" doc:"samples a step"`
	LR        float64 `flag:"lr" doc:"peak learning rate"`
	Schedule  string  `flag:"schedule" doc:"learning-rate schedule: constant, cosine[:MIN], linear, step:AT,AT[:GAMMA], wsd; +warmup:STEPS"`
	Optimizer string  `flag:"optimizer" doc:"sgd, nesterov, adam, adamw"`
	Momentum  float64 `flag:"momentum" doc:"of sgd and nesterov"`
	Decay     float64 `flag:"decay" doc:"weight decay"`
	Loss      string  `flag:"loss" doc:"cross-entropy, or mse against 1 for the class and 0 elsewhere"`
	Smoothing float64 `flag:"smoothing" doc:"label smoothing"`
	Clip      float64 `flag:"clip" doc:"largest norm of the gradient (0: no limit)"`
	Crop      int     `flag:"crop" doc:"augmentation: shift images by up to so many pixels"`
	Flip      bool    `flag:"flip" doc:"augmentation: mirror images at random"`
}

// Job is what a method works on.
type Job struct {
	Graph    *graph.Graph // simplified and classified; methods change it
	Data     *dataset.Data
	Recipe   Recipe
	Settings any
	Order    uint64     // seed of the order and augmentation of samples; 0: Seed
	From     int        // optimiser steps regarded as done: the schedule and the data go on there
	Loss     train.Loss // beside the recipe's smoothing: a teacher to distil from
	Seed     uint64
	Engine   engine.Options

	Save   string // checkpoint, "" for none
	Resume bool
	Log    func(format string, a ...any)
	OnStep func(step, total int, loss float64)
	Epoch  func(train.Epoch)
}

// Result is what came out.
type Result struct {
	Graph  *graph.Graph
	Masks  *prune.Masks  // of methods that cut single weights
	Epochs []train.Epoch // of the training, if any
	Notes  []string      // what the user should know
}

// logf reports progress, if anyone listens.
func (j *Job) logf(format string, a ...any) {
	if j.Log != nil {
		j.Log(format, a...)
	}
}

// Steps is the number of optimiser steps that the recipe makes.
func (j *Job) Steps() int {
	if j.Data == nil || j.Data.Train == nil || j.Recipe.Batch < 1 {
		return 0
	}
	return j.Recipe.Epochs * (j.Data.Train.Len() / j.Recipe.Batch)
}

// Fit trains the job's network by its recipe with hooks. It returns an error
// where training is asked for without data.
func (j *Job) Fit(ctx context.Context, g *graph.Graph, hooks ...train.Hook) ([]train.Epoch, error) {
	if j.Recipe.Epochs == 0 {
		return nil, nil
	}
	cfg, err := j.config()
	if err != nil {
		return nil, err
	}
	cfg.Graph, cfg.Hooks = g, hooks
	order := j.Order
	if order == 0 {
		order = j.Seed
	}
	cfg.From = j.From
	cfg.Train = train.NewData(&dataset.Loader{Set: j.Data.Train, Size: j.Recipe.Batch, Norm: j.Data.Norm, Shuffle: true, Seed: order,
		Augment: dataset.Augment{Crop: j.Recipe.Crop, Flip: j.Recipe.Flip}})
	cfg.Engine, cfg.Save, cfg.Resume, cfg.Every = j.Engine, j.Save, j.Resume, 200
	if j.Save != "" {
		cfg.Key = j.key(g)
	}
	cfg.Val = j.held()
	if j.OnStep != nil {
		cfg.OnStep = func(step int, loss float64) { j.OnStep(step, j.Steps(), loss) }
	}
	cfg.OnEpoch = j.Epoch
	r, err := train.Fit(ctx, cfg)
	if r == nil {
		return nil, err
	}
	return r.Past, err
}

// held evaluates on the samples that are not trained on: the validation set,
// else the test set; nil where there is neither.
func (j *Job) held() *train.Eval {
	for _, s := range []*dataset.Set{j.Data.Val, j.Data.Test} {
		if s != nil {
			return train.NewEval(s, j.Data.Norm, 128, j.Engine)
		}
	}
	return nil
}

// untuned says what the cut alone came to, where fine-tuning follows.
func (j *Job) untuned(ctx context.Context, g *graph.Graph) error {
	if j.Log == nil || j.Recipe.Epochs == 0 || j.Data == nil {
		return nil
	}
	e := j.held()
	if e == nil {
		return nil
	}
	m, err := e.Run(ctx, g)
	if err == nil {
		j.logf("before fine-tuning: loss %.4f, accuracy %.2f %%", m.Loss, 100*m.Accuracy)
	}
	return err
}

// Check returns an error where the recipe cannot be followed with the data. It
// is asked before any work; Fit asks again.
func (j *Job) Check() error {
	if j.Recipe.Epochs == 0 {
		return nil
	}
	_, err := j.config()
	return err
}

// config is the part of the training that the recipe alone decides.
func (j *Job) config() (*train.Config, error) {
	r := j.Recipe
	switch {
	case r.Epochs < 0 || r.Batch < 1:
		return nil, fmt.Errorf("%d epochs, batch %d: neither may be below 0, nor the batch below 1", r.Epochs, r.Batch)
	case j.Data == nil || j.Data.Train == nil:
		return nil, fmt.Errorf("%d epochs of training are asked for, but there is no training set: give --data, or --epochs 0", r.Epochs)
	case j.Data.Train.Len() < r.Batch:
		return nil, fmt.Errorf("the training set has %d samples, fewer than one batch of %d: give a smaller --batch", j.Data.Train.Len(), r.Batch)
	case r.Clip < 0 || math.IsNaN(r.Clip):
		return nil, fmt.Errorf("the largest norm of the gradient %v is negative", r.Clip)
	case r.Crop < 0:
		return nil, fmt.Errorf("a crop of %d pixels is negative", r.Crop)
	case (r.Crop > 0 || r.Flip) && len(j.Data.Train.Shape) != 3:
		return nil, fmt.Errorf("samples of shape %v are no images: --crop and --flip do not apply", j.Data.Train.Shape)
	case r.Loss == "mse" && j.Data.Train.Tokens != nil:
		return nil, fmt.Errorf("text is learnt by cross-entropy, not mse")
	}
	opt, err := train.ParseOptimizer(r.Optimizer, r.Momentum, r.Decay)
	if err != nil {
		return nil, err
	}
	rate, err := train.ParseRate(r.Schedule, r.LR, j.Steps())
	if err != nil {
		return nil, err
	}
	cfg := &train.Config{Epochs: r.Epochs, Optimizer: opt, Rate: rate, Clip: r.Clip, Loss: j.Loss}
	cfg.Loss.Kind, cfg.Loss.Smoothing = r.Loss, r.Smoothing
	return cfg, cfg.Loss.Check()
}

// Clean removes the checkpoints of a job that is done.
func (j *Job) Clean() {
	os.Remove(j.Save) //nolint:errcheck // there may be none
	for i := 0; os.Remove(roundFile(j.Save, i)) == nil; i++ {
	}
}

// key is what a checkpoint of this job belongs to.
func (j *Job) key(g *graph.Graph) []string {
	out := []string{fmt.Sprintf("seed=%d", j.Seed), "training data=" + j.Data.Train.Digest()[:16]}
	recipe := j.Recipe
	for _, s := range Settings(&recipe) {
		out = append(out, s.Name+"="+s.String())
	}
	if j.Settings != nil {
		for _, s := range Settings(j.Settings) {
			out = append(out, s.Name+"="+s.String())
		}
	}
	if t := j.Loss.Teacher; t != nil {
		out = append(out, fmt.Sprintf("teacher=%s alpha=%v temperature=%v", digest(t), j.Loss.Alpha, j.Loss.T))
	}
	if j.Order != 0 {
		out = append(out, fmt.Sprintf("order=%d", j.Order))
	}
	if j.From != 0 {
		out = append(out, fmt.Sprintf("from step=%d", j.From))
	}
	return append(out, "network="+digest(g))
}

// digest identifies the numbers of a network.
func digest(g *graph.Graph) string {
	h := sha256.New()
	for _, v := range g.Consts() {
		fmt.Fprintf(h, "%s%v", v.Name, v.Const.Shape)
		if x := v.Const.F32(); x != nil {
			binary.Write(h, binary.LittleEndian, x) //nolint:errcheck // a hash does not fail
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// All lists the methods in the order of their numbers, baselines last.
func All() []*Method {
	return []*Method{
		shared, sap, globalMP, lottery, bip, scratch, granet, rewind, jackpot, rd, regimes, random, gmp,
		magnitude, lamp, snip, grasp, synflow, hydra, movement, rigl, set, channels,
	}
}

// Find gives a method by number or name; the error lists the names.
func Find(name string) (*Method, error) {
	var names []string
	for _, m := range All() {
		if m.Name == name || m.ID != "" && m.ID == name {
			return m, nil
		}
		names = append(names, m.Name)
	}
	return nil, fmt.Errorf("there is no method %q: there are %s", name, strings.Join(names, ", "))
}
