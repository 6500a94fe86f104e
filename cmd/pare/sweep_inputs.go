package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pare/catalog"
	"pare/dataset"
	"pare/graph"
	"pare/model"
	"pare/model/all"
	"pare/onnx"
	"pare/run/job"
	"pare/run/sweep"
	"pare/train/metric"
)

// vocabulary is what the words of a sweep's file mean.
func vocabulary() *sweep.Vocabulary {
	return &sweep.Vocabulary{
		Method: func(name string) (string, any, error) {
			m, err := all.New(name)
			if err != nil {
				return "", nil, err
			}
			return m.Card().Name, m, nil
		},
		Recipe: func() any { r := model.Defaults(); return &r },
		Metric: func(name string) (sweep.Metric, error) {
			if name == "loss" {
				return sweep.Metric{Name: name}, nil
			}
			us, err := metric.Parse(name)
			if err != nil {
				return sweep.Metric{}, err
			}
			if len(us) != 1 {
				return sweep.Metric{}, fmt.Errorf("metric %s: one metric decides", name)
			}
			return sweep.Metric{Name: us[0].String(), Higher: us[0].Metric.Higher, Percent: us[0].Metric.Unit == "%"}, nil
		},
	}
}

// sweepInputs reads models and data, and checks that they go together, before any run.
func (c *cli) sweepInputs(q *sweeping, r *sweep.Runner) error {
	s := r.Sweep
	if err := c.ownTokens(s.Models[0]); err != nil {
		return err
	}
	d, err := c.open(s.Data)
	if err != nil {
		return fmt.Errorf("%s: data: %w", q.file, err)
	}
	if d.Val == nil {
		return usage("%s: data %s has no validation set, by which runs are chosen: keep a part of the training set, as in %s", q.file, s.Data, withOption(s.Data, "val=0.1"))
	}
	if r.Metric, err = deciding(s, d); err != nil {
		return usage("%s: %w", q.file, err)
	}
	recipe := model.Defaults()
	for _, f := range s.Recipe {
		if len(f.Values) > 0 {
			if err := catalog.Set(&recipe, f.Name, f.Values[0]); err != nil {
				return err
			}
		}
	}
	in := &sweep.Inputs{Tested: d.Test != nil}
	for _, set := range []*dataset.Set{d.Train, d.Val, d.Test} {
		if set != nil {
			in.Digest += " " + set.Digest()
		}
	}
	if in.Data, in.Files, err = traveling(s.Data); err != nil {
		return err
	}
	networks := filepath.Join(q.dir, "networks")
	if q.dry {
		if networks, err = os.MkdirTemp("", "pare-sweep"); err != nil {
			return err
		}
		c.held = append(c.held, func() { os.RemoveAll(networks) })
	}
	in.Model = func(name string, seed uint64) (*job.File, error) {
		return c.sweepModel(name, seed, d, &recipe, networks)
	}
	r.Inputs = in
	return nil
}

// deciding is the metric that decides.
func deciding(s *sweep.Sweep, d *dataset.Data) (sweep.Metric, error) {
	name := s.Metric
	for _, f := range s.Recipe {
		if f.Name == "metric" && name == "" && len(f.Values) == 1 && f.Values[0] != "auto" {
			us, err := metric.Parse(f.Values[0])
			if err != nil {
				return sweep.Metric{}, err
			}
			name = us[0].String()
		}
	}
	if name == "" {
		name = "loss"
		if d.Train != nil && d.Train.Class() != nil {
			name = "accuracy"
		}
	}
	return vocabulary().Metric(name)
}

// sweepModel is the file of a model. One of the zoo is built by a seed and written.
func (c *cli) sweepModel(name string, seed uint64, d *dataset.Data, r *model.Recipe, dir string) (*job.File, error) {
	built := false
	if _, err := os.Stat(name); err != nil {
		built = true
	}
	if !built && c.fitted[name] {
		return job.FileOf("model", name)
	}
	g, err := c.network(name, "", d.Eval(), seed)
	if err != nil {
		return nil, err
	}
	if !c.fitted[name] {
		if err := c.suitsSweep(name, g, d, r); err != nil {
			return nil, err
		}
	}
	if !built {
		return job.FileOf("model", name)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, fmt.Sprintf("%.80s-%d.onnx", strings.Trim(notTagged.ReplaceAllString(name, "-"), "-."), seed))
	if err := onnx.Save(path, g, onnx.Options{}); err != nil {
		return nil, err
	}
	return job.FileOf("model", path)
}

// suitsSweep checks, once for each model, that it goes with the data and can be trained.
func (c *cli) suitsSweep(name string, g *graph.Graph, d *dataset.Data, r *model.Recipe) error {
	if err := c.fits(name, g, d, r); err != nil {
		return err
	}
	o, err := c.engine()
	if err != nil {
		return err
	}
	if err := (&model.Job{Graph: g, Data: d, Recipe: *r, Engine: o}).Check(); err != nil {
		return usage("the recipe with %s: %s", name, catalog.Rename(err, func(f string) string { return model.SettingName(nil, f) }))
	}
	if c.fitted == nil {
		c.fitted = map[string]bool{}
	}
	c.fitted[name] = true
	return nil
}

// traveling is data with names in braces for the paths that are there, and their files.
func traveling(spec string) (string, []job.File, error) {
	head, opts, has := strings.Cut(spec, "?")
	kind, paths, ok := strings.Cut(head, ":")
	if _, err := os.Stat(head); !ok || err == nil {
		kind, paths = "", head
	}
	var files []job.File
	travel := func(path string) (string, error) {
		if _, err := os.Stat(path); path == "" || err != nil {
			return path, nil
		}
		f, err := job.FileOf(fmt.Sprintf("data%d", len(files)), path)
		if err != nil {
			return "", err
		}
		files = append(files, *f)
		return "{" + f.Name + "}", nil
	}
	if !slices.Contains(dataset.Kinds(), head) { // else it is built in
		parts := strings.Split(paths, ",")
		for i := range parts {
			var err error
			if parts[i], err = travel(parts[i]); err != nil {
				return "", nil, err
			}
		}
		paths = strings.Join(parts, ",")
	}
	out := paths
	if kind != "" {
		out = kind + ":" + paths
	}
	if !has {
		return out, files, nil
	}
	words := strings.Split(opts, "&")
	for i, w := range words {
		name, value, _ := strings.Cut(w, "=")
		if name != "tokenizer" && name != "labels" && name != "images" {
			continue
		}
		v, err := travel(value)
		if err != nil {
			return "", nil, err
		}
		words[i] = name + "=" + v
	}
	return out + "?" + strings.Join(words, "&"), files, nil
}

// withOption adds an option to data.
func withOption(spec, option string) string {
	if strings.Contains(spec, "?") {
		return spec + "&" + option
	}
	return spec + "?" + option
}
