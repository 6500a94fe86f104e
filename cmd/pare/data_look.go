package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"pare/data/hygiene"
	"pare/dataset"
	"pare/graph"
	"pare/graph/op"
	"pare/model"
	"pare/neighbours"

	"github.com/spf13/cobra"
)

// lists are files of decisions.
var lists = []string{".csv", ".jsonl"}

// looking is what flags say of what is looked for in a data set.
type looking struct {
	near          string
	embeddings    string
	encoder       string
	layer         string
	metric        string
	k             int
	recall        float64
	probabilities string
	aum           resisting

	html, decisions string // where what was found goes
}

// lookingFlags are those that say by what samples are compared.
func (c *cli) lookingFlags(cmd *cobra.Command, q *looking) {
	f := cmd.Flags()
	f.StringVar(&q.near, "near", "auto", "how far apart near duplicates are at most: a distance of embeddings, or without them a number of the 64 bits of perceptual hashes; off; or auto: 0.005 for cosine, and 4 bits for images of 32 pixels a side at least")
	f.StringVar(&q.embeddings, "embeddings", "", "a .npy file with a row of numbers for each sample: of the training, validation and test set one after another, or FILE,FILE,… for each of them")
	f.StringVar(&q.encoder, "encoder", "", "a network, of which a layer gives the embeddings")
	f.StringVar(&q.layer, "layer", "", "with --encoder: the value that is taken (default: what goes into its last layer with weights)")
	f.StringVar(&q.metric, "distance", "cosine", "of embeddings: cosine, or l2 (squared)")
	f.IntVar(&q.k, "neighbours", 10, "of each sample that are looked at, by embeddings")
	f.Float64Var(&q.recall, "recall", .99, "share of them that is found where there are more than 20,000 samples")
	c.dataMemory(cmd)
}

// inputs are the files that are read beside the data.
func (q *looking) inputs() (out []input) {
	for _, p := range strings.Split(q.embeddings, ",") {
		out = append(out, input{what: "embeddings", path: p})
	}
	return append(out, input{what: "encoder", path: q.encoder}, input{what: "probabilities", path: q.probabilities})
}

// asked says whether flags ask for more than a look at sets in memory.
func (q *looking) asked() bool {
	return q.embeddings != "" || q.encoder != "" || q.html != "" || q.decisions != "" || q.probabilities != "" || q.aum.network != "" || q.near != "auto" && q.near != "off"
}

// look finds what is wrong with the samples; nil where they are streamed and nobody asked.
func (c *cli) look(spec string, d *dataset.Data, q *looking, asked bool) (*hygiene.Findings, error) {
	corpus := hygiene.Of(d)
	for _, s := range corpus {
		if s.Stream != nil && !asked {
			c.say("note: duplicates were not looked for, because the samples are streamed and all would be read; --decisions or --html does it")
			return nil, nil
		}
	}
	o, err := c.lookFor(corpus, q)
	if err != nil {
		return nil, err
	}
	rows, done, err := c.rows(d, corpus, q)
	if err != nil {
		return nil, err
	}
	defer done()
	o.Rows = rows
	if q.probabilities != "" {
		var classes int
		if o.Probabilities, classes, err = hygiene.ReadProbabilities(q.probabilities); err != nil {
			return nil, err
		}
		if y := corpus[0].Class(); y == nil || y.Classes != classes {
			return nil, usage("--probabilities %s: there are %d classes a row, and the data do not have as many", q.probabilities, classes)
		}
	}
	if q.aum.network != "" {
		if o.Margins, err = q.aum.margins(c, d); err != nil {
			return nil, err
		}
	}
	found, err := hygiene.Inspect(c.ctx, corpus, *o)
	if err != nil {
		return nil, err
	}
	if q.html != "" {
		page, err := found.Page(c.ctx, spec)
		if err != nil {
			return nil, err
		}
		if err := page.SaveHTML(q.html); err != nil {
			return nil, err
		}
	}
	if q.decisions != "" {
		if err := hygiene.SaveDecisions(q.decisions, corpus.Digests(), found.Suggest()); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// lookFor is what flags ask to look for.
func (c *cli) lookFor(corpus hygiene.Corpus, q *looking) (*hygiene.Options, error) {
	o := &hygiene.Options{Within: -1, K: q.k, Metric: neighbours.Metric(q.metric), Recall: q.recall, Threads: c.threads, Memory: int64(c.most() / 4)}
	if err := atLeast(1, "neighbours", q.k); err != nil {
		return nil, err
	}
	if !(q.recall > 0 && q.recall <= 1) {
		return nil, usage("--recall %v: a share above 0 and up to 1 is needed", q.recall)
	}
	if o.Metric != neighbours.Cosine && o.Metric != neighbours.L2 {
		return nil, usage("--distance %s: cosine or l2 is needed", q.metric)
	}
	switch embedded := q.embeddings != "" || q.encoder != ""; {
	case q.embeddings != "" && q.encoder != "":
		return nil, usage("--embeddings and --encoder are two ways to the same: give one")
	case q.layer != "" && q.encoder == "":
		return nil, usage("--layer %s is a value of a network: give --encoder too", q.layer)
	case q.near == "off":
	case q.near != "auto":
		x, err := strconv.ParseFloat(q.near, 64)
		if err != nil || !(x >= 0) || math.IsInf(x, 0) {
			return nil, usage("--near %s: a distance of 0 or more is needed, or off, or auto", q.near)
		}
		o.Within = x
	case embedded && o.Metric == neighbours.Cosine:
		o.Within = .005
	case embedded:
		c.say("note: near duplicates were not looked for: how far apart they are by %s distances is not known; --near says it", q.metric)
	case hygiene.Hashable(corpus):
		o.Within = 4
	}
	return o, nil
}

// rows are embeddings of all samples, from files or a network; nil: there are none.
func (c *cli) rows(d *dataset.Data, corpus hygiene.Corpus, q *looking) (neighbours.Source, func(), error) {
	done := func() {}
	if q.encoder != "" {
		rows, err := c.encode(d, corpus, q)
		return rows, done, err
	}
	if q.embeddings == "" {
		return nil, done, nil
	}
	var all hygiene.Joined
	for _, path := range strings.Split(q.embeddings, ",") {
		s, shut, err := hygiene.OpenRows(path)
		was := done
		done = func() { was(); shut() }
		if err == nil && len(all) > 0 && s.Dim() != all.Dim() {
			err = usage("--embeddings %s: rows of %d numbers, and those before have %d", path, s.Dim(), all.Dim())
		}
		if err != nil {
			done()
			return nil, nil, err
		}
		all = append(all, s)
	}
	return all, done, nil
}

// encode lets a network make embeddings of all samples.
func (c *cli) encode(d *dataset.Data, corpus hygiene.Corpus, q *looking) (neighbours.Source, error) {
	g, err := c.beside(q.encoder)
	if err != nil {
		return nil, err
	}
	if err := c.settle(q.encoder, g); err != nil {
		return nil, err
	}
	v, err := layerOf(g, q.layer)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", q.encoder, err)
	}
	engine, err := c.engine()
	if err != nil {
		return nil, err
	}
	c.say("note: embeddings are %q of %s", v.Name, q.encoder)
	j := &model.Job{Graph: g, Data: d, Engine: engine}
	var all hygiene.Joined
	for _, s := range corpus {
		f, err := j.Features(c.ctx, g, []*graph.Value{v}, s, d.Norm)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", q.encoder, err)
		}
		if f.N == 0 {
			continue
		}
		all = append(all, neighbours.Matrix{X: f.X[0], Width: len(f.X[0]) / f.N})
	}
	return all, nil
}

// layerOf is the value of a name, or what goes into the last layer with weights.
func layerOf(g *graph.Graph, name string) (*graph.Value, error) {
	var last *graph.Value
	for _, n := range g.Nodes {
		for _, v := range n.Outputs {
			if name != "" && v != nil && v.Name == name {
				return v, nil
			}
		}
		if d := op.Lookup(n.Domain, n.Op); d != nil && d.Params != nil && d.MACs != nil && len(n.Inputs) > 1 && n.Inputs[1] != nil && n.Inputs[1].Const != nil && n.Inputs[1].Const.Rank() >= 2 {
			last = n.Inputs[0]
		}
	}
	switch {
	case name != "":
		return nil, fmt.Errorf("there is no value %q: pare model inspect lists the layers", name)
	case last == nil:
		return nil, fmt.Errorf("there is no layer with weights; --layer names a value")
	}
	return last, nil
}

// tellFound prints what was found.
func (c *cli) tellFound(f *hygiene.Findings) {
	if f == nil {
		return
	}
	fmt.Fprintln(c.out)
	for _, s := range f.Verdict() {
		fmt.Fprintln(c.out, s)
	}
}
