package main

import (
	"fmt"
	"path/filepath"
	"runtime/debug"
	"strings"

	"pare/catalog"
	"pare/lm/files"
	"pare/measure"
	"pare/model"
	"pare/model/all"
	"pare/model/blockwise"
	"pare/report"
	runs "pare/run"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// large is a language model that is pruned block by block.
type large struct {
	file  *files.File
	bytes int // of its weights as float32
	fits  bool
}

// byBlocksFlag says whether a language model is pruned block by block.
func byBlocksFlag(f *pflag.FlagSet, to *string) {
	f.StringVar(to, "by-blocks", "auto", "prune a language model one block at a time, in the memory of one block: on, off, or auto (where the whole model would take more than --memory)")
}

// byBlocks says whether a network is pruned block by block; nil: as a whole.
func (c *cli) byBlocks(cmd *cobra.Command, name string, q *pruning) (*large, error) {
	on := q.blocks == "on"
	switch {
	case !on && q.blocks != "auto" && q.blocks != "off":
		return nil, usage("--by-blocks %s: use auto, on or off", q.blocks)
	case on && !files.Is(name):
		return nil, usage("--by-blocks on: %s is no language model: give a folder with a config.json, or a .gguf file", name)
	case q.blocks == "off" || !files.Is(name):
		return nil, nil
	}
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	x := &large{file: f}
	parts, err := f.Parts()
	if err == nil {
		for _, w := range parts.All {
			n := 4
			for _, d := range w.Shape {
				n *= d
			}
			x.bytes += n
		}
		x.fits = c.most() == 0 || wholes*x.bytes <= c.most()
	}
	if !on && (err != nil || x.fits) { // what is wrong with it is said of the whole
		return nil, f.Close()
	}
	c.held = append(c.held, func() { f.Close() })
	if err == nil {
		err = c.whyWhole(cmd, q, x)
	}
	if err == nil {
		return x, nil
	}
	if on {
		return nil, fmt.Errorf("--by-blocks on: %w", err)
	}
	return nil, fmt.Errorf("%s takes %s as float32 numbers, twice over while it is read and measured, and %s may be taken (--memory): it can only be pruned block by block, and that cannot be: %w (--by-blocks off tries it as a whole)",
		name, report.Bytes(int64(x.bytes)).Text, report.Bytes(int64(c.most())).Text, err)
}

// wholes is how many times the weights of a model are held where it is pruned as a whole: as
// they were and as they become.
const wholes = 2

// whyWhole says why a model cannot be pruned block by block.
func (c *cli) whyWhole(cmd *cobra.Command, q *pruning, x *large) error {
	switch {
	case !q.to.folder:
		return usage("-o %s: a folder is written block by block, another file as a whole: give -o OUT/", q.to.path)
	case q.goal != goal{}:
		return usage("a target is sought on the whole network: leave --max-drop and --latency out")
	case q.teaching.Teacher != "":
		return usage("--teacher trains the whole network: leave it out")
	case (q.html != "" || q.card != "") && !x.fits:
		return usage("--report and --card tell what is measured on the whole network: leave them out")
	}
	if _, ok := c.method.(model.ByPart); !ok {
		var names []string
		for _, m := range all.List() {
			if _, ok := m.(model.ByPart); ok {
				names = append(names, m.Card().Name)
			}
		}
		return usage("method %s needs the whole network at once; those that do not: %s", c.method.Card().Name, strings.Join(names, ", "))
	}
	_, err := blockwise.Able(c.method, &model.Job{Recipe: c.recipeOf(cmd, q, q.data != "")})
	return err
}

// recipeOf is the recipe that the flags say: without data nothing is trained, unless epochs
// are asked for.
func (c *cli) recipeOf(cmd *cobra.Command, q *pruning, data bool) model.Recipe {
	r := q.recipe
	if (!data || r.Recover == "solve") && !cmd.Flags().Changed("epochs") {
		r.Epochs = 0
	}
	return r
}

// pruneBlocks prunes a language model block by block. Where the whole of it fits into memory,
// it is measured as any network is.
func (c *cli) pruneBlocks(cmd *cobra.Command, name string, q *pruning, x *large, own *owned) error {
	j, err := c.blocksJob(cmd, name, q, x, own.resume)
	if err != nil {
		return err
	}
	if err := c.noteJob(c.method, j, q.data); err != nil {
		return err
	}
	c.say("note: %s is pruned one block at a time", name)
	runs.TidyFolder(q.to.path, ".safetensors", ".json")
	res, err := blockwise.Prune(cmd.Context(), c.method, j, x.file, q.to.path, blockwise.Options{Memory: c.most()})
	if found, _ := runs.Saved(j.Save); found && cmd.Context().Err() != nil {
		return stopped("stopped; the blocks that are done are kept in %s\nRun the same command with --resume to go on.", j.Save)
	}
	if err != nil {
		return err
	}
	own.Done()
	own.forget()
	facts := res.Facts.(*blockwise.Facts)
	res.Note("%d blocks were pruned one at a time, in %s of memory at most; as float32 numbers the model takes %s", facts.Blocks, report.Bytes(int64(facts.Peak)).Text, report.Bytes(int64(facts.Whole)).Text)
	if !x.fits {
		return c.finishBlocks(cmd, name, q, x, j, res, facts)
	}
	c.tell(res)
	out := c.pruned(name, q, j, res)
	for _, n := range []*measure.Network{{Name: "dense", File: name}, {Name: stem(q.to.path), File: q.to.path}} {
		if n.Graph, _, err = c.ready(n.File); err != nil {
			return c.afterWriting(q.to.path, err)
		}
		if j.Data != nil {
			if _, err := model.Fits(n.Graph, j.Data, j.Judge()); err != nil {
				return err
			}
		}
		out.networks = append(out.networks, n)
	}
	return c.finish(cmd, out)
}

// blocksJob reads the data, and checks that it goes with the model.
func (c *cli) blocksJob(cmd *cobra.Command, name string, q *pruning, x *large, resume bool) (*model.Job, error) {
	o, err := c.engine()
	if err != nil {
		return nil, err
	}
	if c.guarded {
		debug.SetGCPercent(25) // what a block leaves behind is as large as a block
	}
	for _, n := range x.file.Notes {
		c.say("note: %s: %s", name, n)
	}
	c.languages = map[string]*files.File{name: x.file}
	j := &model.Job{Recipe: c.recipeOf(cmd, q, q.data != ""), Seed: q.seed, Engine: o, Save: checkpointOf(q.to.path), Resume: resume, Log: c.log()}
	if q.data == "" {
		return j, nil
	}
	if err := c.ownTokens(name); err != nil {
		return nil, err
	}
	if j.Data, err = c.open(q.data); err != nil {
		return nil, err
	}
	if j.Data.Train == nil {
		return nil, usage("--data %s has no training set, whose samples run through the model", q.data)
	}
	if err := j.Data.Train.Sound(); err != nil {
		return nil, err
	}
	return j, c.fitsLanguage(name, j.Data)
}

// judged is the number of samples that a model is measured on block by block, at most.
const judged = 128

// finishBlocks measures what a model is worth that does not fit into memory, where there is
// data, and tells what was cut.
func (c *cli) finishBlocks(cmd *cobra.Command, name string, q *pruning, x *large, j *model.Job, res *model.Result, facts *blockwise.Facts) error {
	type network struct {
		Name   string                `json:"name"`
		File   string                `json:"file"`
		Metric *blockwise.Likelihood `json:"metrics,omitempty"`
	}
	ns := []network{{Name: "dense", File: name}, {Name: stem(q.to.path), File: q.to.path}}
	if j.Data == nil {
		res.Note("what the networks are worth was not measured, for no data was given")
	} else {
		if n := j.Data.Eval().Len(); n > judged {
			res.Note("they are measured on %d of %d samples", judged, n)
		}
		out, err := files.Open(q.to.path)
		if err != nil {
			return err
		}
		defer out.Close()
		for i, f := range []*files.File{x.file, out} {
			ns[i].Metric, err = blockwise.Measure(cmd.Context(), j, f, filepath.Dir(q.to.path), judged, blockwise.Options{Memory: c.most()})
			if err := c.afterWriting(q.to.path, err); err != nil {
				return err
			}
		}
	}
	res.Note("how fast the networks are was not measured, for they do not fit into memory")
	c.tell(res)
	kept, all := facts.Cut()
	if err := c.result(map[string]any{"networks": ns, "kept": kept, "weights": all, "notes": append([]catalog.Text{}, res.Notes...), "facts": facts}); err != nil || c.json {
		return err
	}
	t := &report.Table{Columns: []string{"network", "weights of layers", "cut", "loss", "perplexity"}}
	for i, n := range ns {
		row := []report.Cell{report.Text(n.Name), report.Count(int64(all)), report.Percent(0), report.Text("–"), report.Text("–")}
		if i > 0 {
			row[1], row[2] = report.Count(int64(kept)), report.Percent(1-float64(kept)/float64(max(1, all)))
		}
		if m := n.Metric; m != nil {
			row[3], row[4] = report.Number(m.Loss), report.Number(m.Perplexity())
		}
		t.Rows = append(t.Rows, row)
	}
	t.Print(c.out, c.width())
	return nil
}
