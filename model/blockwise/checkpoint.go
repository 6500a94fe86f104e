package blockwise

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"pare/catalog"
	"pare/lm/family"
	"pare/model"
	"pare/prune"
	runs "pare/run"
	"pare/safetensors"
	"pare/tensor"
)

// What a run that was stopped goes on from: a file for the weights of each part that was cut
// (run.Part of the job's Save), and, replaced when a block is done, Save itself, which holds
// what goes into the next block and, in its metadata, the progress. Parts that Save does not
// count are made again.

// progressKey is the entry of the metadata that holds the progress.
const progressKey = "pare.blocks"

// progress is how far a run has come.
type progress struct {
	Run    []string          `json:"run"`  // its facts, which must be the same to go on
	Next   int               `json:"next"` // the block
	Parts  int               `json:"parts"`
	Layers []Layer           `json:"layers"`
	Tally  *model.PartResult `json:"tally"`
	Left   []prune.Skip      `json:"left"`
	Empty  []string          `json:"empty"`
}

// keys are the facts of the run.
func (r *run) keys(m model.Method) error {
	if r.job.Save == "" {
		return nil
	}
	g, err := tokens()
	if err != nil {
		return err
	}
	key := r.job.On(g).Facts(m, g).Key()
	of, err := r.in.Stamp()
	if err != nil {
		return err
	}
	key.Add("samples at once", r.plan.together)
	for _, s := range of {
		key.Add("file of the model", s)
	}
	r.key = key
	return nil
}

// rowName is the name of what a batch makes of the stream.
func rowName(batch int) string { return fmt.Sprintf("rows.%d", batch) }

// save notes that all blocks in front of one are done.
func (r *run) save(next int, last bool) error {
	if r.job.Save == "" {
		return nil
	}
	b, err := json.Marshal(progress{r.key, next, r.cutParts, r.facts.Layers, &r.tally, r.left, r.empty})
	if err != nil {
		return err
	}
	n := 0
	if r.rows != nil && !last {
		n = r.rows.Len()
	}
	var infos []safetensors.Info
	for i := range n {
		t, err := r.rows.Get(i)
		if err != nil {
			return err
		}
		infos = append(infos, safetensors.Info{Name: rowName(i), DType: t.DType, Shape: t.Shape})
	}
	w, err := safetensors.Create(r.job.Save, infos, map[string]string{progressKey: string(b)})
	if err != nil {
		return err
	}
	defer w.Abort()
	for i := range n {
		t, err := r.rows.Get(i)
		if err == nil {
			err = w.Write(rowName(i), t)
		}
		if err != nil {
			return err
		}
	}
	return w.Close()
}

// write writes the weights of a part that was cut, to the output and beside the checkpoint.
func (r *run) write(p *model.Part, weights []*prune.Weight) error {
	var beside *safetensors.Writer
	if r.job.Save != "" {
		var infos []safetensors.Info
		for _, w := range weights {
			i := slices.IndexFunc(r.parts.All, func(x family.Stored) bool { return x.Name == w.Name })
			infos = append(infos, safetensors.Info{Name: w.Name, DType: r.parts.All[i].DType, Shape: r.parts.All[i].Shape})
		}
		var err error
		if beside, err = safetensors.Create(runs.Part(r.job.Save, r.cutParts), infos, nil); err != nil {
			return err
		}
		defer beside.Abort()
	}
	for _, w := range weights {
		t, err := family.Laid(p.Graph, w.Value)
		if err == nil {
			err = r.out.Write(w.Name, t)
		}
		if err == nil && beside != nil {
			err = beside.Write(w.Name, t)
		}
		if err != nil {
			return err
		}
		r.written[w.Name] = true
	}
	r.cutParts++
	if beside == nil {
		return nil
	}
	return beside.Close()
}

// resume goes on from what a run has left, if there is anything.
func (r *run) resume() error {
	if r.job.Save == "" || !r.job.Resume {
		return nil
	}
	if _, err := os.Lstat(r.job.Save); errors.Is(err, fs.ErrNotExist) {
		return nil // it came to the end of no block
	}
	p, f, err := r.progress()
	if err != nil {
		return catalog.Errorf("%s: %v; give {Force} to begin anew", r.job.Save, err)
	}
	defer f.Close()
	for i := range p.Parts {
		if err := r.takePart(runs.Part(r.job.Save, i)); err != nil {
			return catalog.Errorf("%s: %v; give {Force} to begin anew", runs.Part(r.job.Save, i), err)
		}
	}
	for i := 0; r.rows != nil && i < r.rows.Len() && len(f.Names()) > 0; i++ {
		t, err := f.Read(rowName(i))
		if err == nil {
			err = r.rows.Put(i, t)
		}
		if err != nil {
			return catalog.Errorf("%s: %v; give {Force} to begin anew", r.job.Save, err)
		}
	}
	r.begin, r.cutParts, r.left, r.empty, r.facts.Layers = p.Next, p.Parts, p.Left, p.Empty, p.Layers
	r.tally.Join(p.Tally)
	r.job.Logf("%d of %d blocks were done before", p.Next, r.parts.Layers)
	return nil
}

// progress reads how far a run had come, and holds it to be this one.
func (r *run) progress() (*progress, *safetensors.Reader, error) {
	f, err := safetensors.Open(r.job.Save)
	if err != nil {
		return nil, nil, fmt.Errorf("it is no checkpoint of a model that is pruned block by block: %w", err)
	}
	p := &progress{}
	if err := json.Unmarshal([]byte(f.Meta[progressKey]), p); err != nil || p.Tally == nil || p.Next < 0 || p.Next > r.parts.Layers || p.Parts < 0 || p.Parts > p.Next {
		f.Close() //nolint:errcheck // nothing was written
		return nil, nil, errors.New("it is no checkpoint of a model that is pruned block by block")
	}
	if !slices.Equal(p.Run, r.key) {
		f.Close() //nolint:errcheck // likewise
		for i, is := range r.key {
			if i >= len(p.Run) || p.Run[i] != is {
				was := "nothing of the kind"
				if i < len(p.Run) {
					was = p.Run[i]
				}
				return nil, nil, fmt.Errorf("it is the checkpoint of another run: %q here, %q there", is, was)
			}
		}
		return nil, nil, errors.New("it is the checkpoint of another run")
	}
	return p, f, nil
}

// takePart writes weights that were cut before.
func (r *run) takePart(path string) error {
	f, err := safetensors.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, name := range f.Names() {
		var t *tensor.Tensor
		if t, err = f.Read(name); err == nil {
			err = r.out.Write(name, t)
		}
		if err != nil {
			return err
		}
		r.written[name] = true
	}
	return nil
}
