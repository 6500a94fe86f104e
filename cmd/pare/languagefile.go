package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pare/dataset"
	"pare/graph"
	"pare/lm/files"
	"pare/model"
	"pare/onnx"
	runs "pare/run"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// destination is where a network goes, and in which form.
type destination struct {
	path   string
	folder bool   // of Hugging Face
	types  string // of the matrices of a GGUF file
}

func (t *destination) flags(f *pflag.FlagSet) {
	f.StringVar(&t.types, "gguf-type", "f16", "with -o OUT.gguf: what matrices are stored as, f32, f16, q8_0 or q4_0")
}

// settle finds out what is to be written.
func (t *destination) settle(cmd *cobra.Command) error {
	t.folder = strings.HasSuffix(t.path, "/") || strings.HasSuffix(t.path, string(filepath.Separator)) ||
		isFolder(t.path) && !slices.Contains(models, strings.ToLower(filepath.Ext(t.path)))
	t.path = filepath.Clean(t.path)
	if cmd.Flags().Changed("gguf-type") && (t.folder || !files.IsGGUF(t.path)) {
		return usage("--gguf-type goes with -o OUT.gguf")
	}
	if _, ok := files.Types[t.types]; !ok {
		return usage("--gguf-type %s: there are %s", t.types, strings.Join(slices.Sorted(maps.Keys(files.Types)), ", "))
	}
	return nil
}

// ends are the extensions that the output may have.
func (t *destination) ends() []string {
	if t.folder {
		return folders
	}
	return models
}

// checkFolder says why a folder cannot be written.
func (f file) checkFolder(force bool) error {
	st, err := os.Stat(f.path)
	if errors.Is(err, os.ErrNotExist) {
		return onnx.CheckWritable(f.path)
	}
	if err != nil {
		return err
	}
	if !st.IsDir() {
		return usage("--%s %s is a file, not a folder", f.flag, f.path)
	}
	es, err := os.ReadDir(f.path)
	if err != nil {
		return err
	}
	es = slices.DeleteFunc(es, func(e os.DirEntry) bool { return runs.IsHalf(e.Name()) }) // of a run that was killed
	if len(es) > 0 && !force {
		return usage("--%s %s is a folder with something in it: give another, or --force to write a model's files over those of their names", f.flag, f.path)
	}
	return onnx.CheckWritable(filepath.Join(f.path, "config.json"))
}

// languageGraph reads a language model.
func (c *cli) languageGraph(path string) (*graph.Graph, error) {
	f, err := files.Open(path)
	if err != nil {
		return nil, err
	}
	c.held = append(c.held, func() { f.Close() })
	g, err := await(c.ctx, f.Graph)
	if err != nil {
		return nil, err
	}
	if c.languages[path] == nil {
		for _, n := range f.Notes {
			c.say("note: %s: %s", path, n)
		}
		if c.languages == nil {
			c.languages = map[string]*files.File{}
		}
	}
	c.languages[path] = f
	return g, nil
}

// ownTokens lets texts become tokens by the tokenizer of a language model, if the network
// is one.
func (c *cli) ownTokens(path string) error {
	if !files.Is(path) {
		return nil
	}
	f := c.languages[path]
	if f == nil {
		var err error
		if f, err = files.Open(path); err != nil {
			return err
		}
		defer f.Close()
	}
	t, err := f.Tokenizer()
	switch {
	case err != nil:
		return fmt.Errorf("%s: the tokenizer: %w", path, err)
	case t == nil:
		c.say("note: %s has no tokenizer.json: texts are bytes, unless tokenizer=FILE in --data says otherwise", path)
	case t.Size > f.Config.Vocab:
		return fmt.Errorf("%s: the tokenizer has tokens up to %d, and the model a vocabulary of %d: they do not belong together", path, t.Size-1, f.Config.Vocab)
	}
	c.tokens = t
	return nil
}

// fitsLanguage checks that samples are no longer than the texts that a model was made for.
func (c *cli) fitsLanguage(path string, d *dataset.Data) error {
	f := c.languages[path]
	if f == nil {
		return nil
	}
	for _, name := range []string{"text", "input_ids"} {
		x := d.Eval().Field(name)
		if x == nil || len(x.Shape) == 0 || x.Shape[0] <= f.Config.Positions {
			continue
		}
		how := "seq"
		if name != "text" {
			how = "length"
		}
		return usage("samples of %d tokens are longer than the texts that %s was made for: %s=%d in --data, or less", x.Shape[0], path, how, f.Config.Positions)
	}
	return nil
}

// suits checks that a network can be written where it is to go.
func (c *cli) suits(t *destination, g *graph.Graph, path string) error {
	f := c.languages[path]
	switch {
	case t.folder:
		if err := files.Remembered(g); err != nil {
			return usage("-o %s: %v; give OUT.onnx or OUT.pare", t.path, err)
		}
	case files.IsGGUF(t.path) && f == nil:
		return usage("-o %s: %v", t.path, files.ErrNoMeta)
	case files.IsGGUF(t.path):
		if err := f.ForGGUF(); err != nil {
			return usage("-o %s: %v", t.path, err)
		}
	}
	if m, ok := c.method.(model.Unsaid); ok && (t.folder || files.IsGGUF(t.path)) {
		if err := m.Unsaid(g); err != nil {
			return usage("-o %s: %w", t.path, err)
		}
	}
	return nil
}

// save writes a network that was read from a path, and gives what was written: of a language
// model the network that its files hold, whose weights may be rounded to their types.
func (c *cli) save(t *destination, g *graph.Graph, path string) (*graph.Graph, error) {
	var notes []string
	var err error
	switch {
	case t.folder:
		notes, err = files.WriteFolder(t.path, g, c.languages[path])
	case files.IsGGUF(t.path):
		notes, err = files.WriteGGUF(t.path, g, c.languages[path], files.Types[t.types])
		if other := t.path + ".folder"; errors.Is(err, files.ErrUneven) { // the work is not lost
			if e := (file{"output", other, folders}).checkFolder(false); e != nil {
				return nil, fmt.Errorf("%s: %w; give a folder as output", t.path, err)
			}
			if _, e := files.WriteFolder(other, g, c.languages[path]); e != nil {
				return nil, errors.Join(err, e)
			}
			return nil, fmt.Errorf("%s: %w; the network is written as the folder %s", t.path, err, other)
		}
	default:
		return g, onnx.Save(t.path, g, onnx.Options{})
	}
	if err != nil {
		return nil, err
	}
	for _, n := range notes {
		c.say("note: %s: %s", t.path, n)
	}
	written, _, err := c.ready(t.path)
	if err != nil {
		return nil, err
	}
	written.Usage = g.Usage
	return written, nil
}
