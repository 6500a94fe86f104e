package model

import (
	"math"

	"pare/catalog"
	"pare/dataset"
	"pare/train"
	"pare/train/metric"
	"pare/train/objective"
)

// Recipe is how a network is trained or trained on.
type Recipe struct {
	Epochs    int     `flag:"epochs" range:"[0,)" doc:"passes over the training set (0: no training)"`
	Batch     int     `flag:"batch" range:"[1,)" auto:"-1" doc:"samples in each step (auto: 128, and fewer with distil where that makes too few steps)"`
	Sampler   string  `flag:"sampler" doc:"which samples an epoch has: all, or rs2:SHARE, random subsets drawn anew for each epoch, as in rs2:0.1 (rs2:SHARE:replace: from all each time, not from what the epochs before have left; :stratified with it: the same share of every class; :fill: the last batch is filled up from the epoch's beginning, not dropped)"`
	LR        float64 `flag:"lr" range:"(0,)" auto:"0" doc:"peak learning rate (auto: found by a short range test); above 0, or auto"`
	Schedule  string  `flag:"schedule" doc:"learning-rate schedule: constant, cosine[:MIN], linear, step:AT,AT[:GAMMA], wsd[:DECAY[:MIN]]; +warmup:STEPS or +warmup:5%"`
	Optimizer string  `flag:"optimizer" choice:"sgd,nesterov,adam,adamw" doc:"how the gradient becomes a step"`
	Momentum  float64 `flag:"momentum" range:"[0,1)" doc:"of sgd and nesterov"`
	Decay     float64 `flag:"decay" range:"[0,)" doc:"weight decay"`
	Loss      string  `flag:"loss" doc:"what is made small: auto, by what outputs and targets suggest, or none, for labels are not used, or a sum of terms such as 'cross-entropy(logits,labels)+0.5*smooth-l1(boxes,box)', each one of cross-entropy, bce, mse, l1 … or onnx:FILE"`
	Recover   string  `flag:"recover" doc:"how what a cut costs is won back: auto, by labels where there are any and else as distil; train, by labels; distil, by what the network before gives, without labels, where a cut comes first from what solve makes of it; solve, by least squares layer by layer on samples without labels, alone (with 0 epochs) or before the training, as in solve,train"`
	Inner     string  `flag:"inner" choice:"auto,on,off" doc:"with distil: values inside the network are matched too, where it has a part of those before: on, off, or auto (sums of residual branches are, what stands behind activations is not)"`
	Metric    string  `flag:"metric" doc:"how networks are judged, the first deciding: auto, by what the loss suggests, or some of accuracy, top-k(k=5), iou, ap(boxes,scores,box,label), r2, psnr … and onnx:FILE"`
	Smoothing float64 `flag:"smoothing" range:"[0,1)" doc:"label smoothing"`
	Clip      float64 `flag:"clip" range:"[0,)" auto:"-1" doc:"largest norm of the gradient (0: no limit; auto: four times its running mean)"`
	Explosion string  `flag:"on-explosion" choice:"auto,back,stop" doc:"what is done where the loss explodes: back (to the last good state, with a quarter of the learning rate, three times at most), stop (it is an error), or auto (back, but stop for methods that drive their own trainings)"`
	Keep      string  `flag:"keep-epoch" choice:"auto,best,last" doc:"which epoch's weights are kept: best (on the validation set; without one a part of the training set is held out, a tenth at most), last, or auto (best, but last for methods that drive their own trainings)"`
	Crop      int     `flag:"crop" range:"[0,)" doc:"augmentation: shift images by up to this number of pixels"`
	Renorm    string  `flag:"renorm" choice:"auto,off" doc:"auto: where an exporter has folded batch normalisation into the convolutions, it is put back for the training and folded again; off: such a network is trained as it is"`
	Flip      bool    `flag:"flip" doc:"augmentation: mirror images at random"`
}

// Defaults is a recipe that suits most fine-tuning: 10 epochs of SGD along a cosine,
// whose rate is found, gradients clipped, explosions undone, and the best epoch kept.
// The zero values of a recipe have none of these but the rate.
func Defaults() Recipe {
	return Recipe{Epochs: 10, Batch: AutoBatch, Sampler: "all", Schedule: "cosine", Optimizer: "sgd", Momentum: .9, Decay: 1e-4, Loss: "auto", Metric: "auto", Recover: "auto", Inner: "auto", Renorm: "auto",
		Clip: train.Adaptive, Explosion: "auto", Keep: "auto"}
}

// Check returns an error where the recipe cannot be followed with the data. It
// is asked before any work; Fit asks again.
func (j *Job) Check() error {
	if err := j.checkSolve(); err != nil {
		return err
	}
	if j.Recipe.Epochs == 0 {
		return nil
	}
	cfg, err := j.config()
	if err != nil || j.Graph == nil {
		return err
	}
	return cfg.Loss.Learns(j.Graph, j.Data.Train, j.batch())
}

// config is the part of the training that the recipe alone decides.
func (j *Job) config() (*train.Config, error) {
	r := j.Recipe
	switch {
	case r.Epochs < 0 || r.Batch < 1 && r.Batch != AutoBatch:
		return nil, catalog.Errorf("{Recipe.Epochs} %d, {Recipe.Batch} %d: at least 0 epochs, and at least 1 sample in a batch, are needed", r.Epochs, r.Batch)
	case j.Data == nil || j.Data.Train == nil:
		return nil, catalog.Errorf("%d epochs of training are asked for, but there is no training set: give {Data}, or {Recipe.Epochs} 0", r.Epochs)
	case j.Data.Train.Len() < j.batch():
		return nil, catalog.Errorf("the training set has %d samples, fewer than one batch of %d: give a smaller {Recipe.Batch}", j.Data.Train.Len(), j.batch())
	case r.sampler(j) != nil:
		return nil, r.sampler(j)
	case !(r.LR >= 0) || math.IsInf(r.LR, 0):
		return nil, catalog.Errorf("{Recipe.LR} %v: the learning rate is not a positive number", r.LR)
	case r.Clip < 0 && r.Clip != train.Adaptive || math.IsNaN(r.Clip):
		return nil, catalog.Errorf("{Recipe.Clip} %v: the largest norm of the gradient is not negative", r.Clip)
	case r.Crop < 0:
		return nil, catalog.Errorf("{Recipe.Crop} %d is negative", r.Crop)
	case (r.Crop > 0 || r.Flip) && len(j.Data.Train.X().Shape) != 3:
		return nil, catalog.Errorf("samples of shape %v are no images: {Recipe.Crop} and {Recipe.Flip} do not apply", j.Data.Train.X().Shape)
	}
	opt, err := train.ParseOptimizer(r.Optimizer, r.Momentum, r.Decay)
	if err != nil {
		return nil, err
	}
	cfg := &train.Config{Epochs: r.Epochs, Optimizer: opt}
	if err := j.rate(cfg); err != nil {
		return nil, err
	}
	if cfg.Loss, err = j.lossOf(); err != nil {
		return nil, err
	}
	if _, err := r.metrics(); err != nil {
		return nil, err
	}
	j.careful(cfg)
	return cfg, cfg.Loss.Check()
}

// sampler returns an error where the epochs cannot be drawn from the data.
func (r *Recipe) sampler(j *Job) error {
	s, err := dataset.ParseSampler(r.Sampler)
	if err == nil {
		err = s.Check(j.Data.Train, j.batch())
	}
	if err != nil {
		return catalog.Errorf("{Recipe.Sampler}: %v", err)
	}
	return nil
}

// loader gives the batches of the recipe's training.
func (j *Job) loader() *dataset.Loader {
	s, _ := dataset.ParseSampler(j.Recipe.Sampler) // config has said what is wrong
	return &dataset.Loader{Set: j.Data.Train, Size: j.batch(), Norm: j.Data.Norm, Shuffle: true, Seed: j.order(), Sampler: s,
		Augment: dataset.Augment{Crop: j.Recipe.Crop, Flip: j.Recipe.Flip, Data: true}}
}

// Judge is how networks are judged by the recipe's loss and metrics.
func (r *Recipe) Judge() (by train.Judge, err error) {
	if by.Objective, err = r.objective(); err == nil {
		by.Metrics, err = r.metrics()
	}
	return by, err
}

// metrics are those that the recipe judges by; nil: those that the loss suggests.
func (r *Recipe) metrics() ([]metric.Use, error) {
	if r.Metric == "auto" || r.Metric == "" {
		return nil, nil
	}
	m, err := metric.Parse(r.Metric)
	if err != nil {
		return nil, catalog.Errorf("{Recipe.Metric} %s: %v", r.Metric, err)
	}
	return m, nil
}

// Objective is the loss that weights are scored by: the recipe's, without smoothing and
// teacher.
func (j *Job) Objective() (train.Loss, error) {
	o, err := j.Recipe.objective()
	return train.Loss{Objective: o}, err
}

// objective is what the recipe makes small; nil: what outputs and targets suggest.
func (r *Recipe) objective() (objective.Objective, error) {
	switch r.Loss {
	case "auto", "":
		return nil, nil
	case "none":
		return objective.Objective{}, nil
	}
	o, err := objective.Parse(r.Loss)
	if err == nil {
		err = o.Load()
	}
	if err != nil {
		return nil, catalog.Errorf("{Recipe.Loss} %s: %v", r.Loss, err)
	}
	return o, nil
}

// Steps is the number of optimiser steps that the recipe makes.
func (j *Job) Steps() int {
	if j.Data == nil || j.Data.Train == nil || j.batch() < 1 {
		return 0
	}
	return j.Recipe.Epochs * j.loader().Steps()
}

// NeedsTraining returns an error that says why, where the recipe trains nothing.
func (j *Job) NeedsTraining(why string) error {
	if j.Steps() == 0 {
		return catalog.Errorf("%s: give {Data} and {Recipe.Epochs}", why)
	}
	return nil
}

// NeedsLabels returns an error that says why, where the samples have nothing that
// outputs are compared with.
func (j *Job) NeedsLabels(why string) error {
	labelled, err := j.labelled()
	if err == nil && !labelled {
		err = catalog.Errorf("%s, and every field of the samples is an input: give {Data} with labels", why)
	}
	return err
}

// StepAt is the optimiser step of a point of the recipe's training, held in a field
// of the settings.
func (j *Job) StepAt(field string, a train.At) (int, error) {
	n, err := a.Step(j.Steps(), j.Recipe.Epochs)
	if err != nil {
		return 0, catalog.Errorf("{%s} %v", field, err)
	}
	return n, nil
}
