package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"pare/catalog"
	"pare/data"
	dataall "pare/data/all"
	"pare/dataset"
	"pare/graph"
	"pare/lm/local"
	"pare/train/dynamics"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"
)

// Endings of scores and subsets.
var (
	scoreFiles  = []string{".csv", ".jsonl", ".npy"}
	subsetFiles = data.Files
)

// fromFiles are the files that methods of data work on.
type fromFiles struct {
	spec, to       string
	logs, networks []string
	embeddings     string
	encoder, layer string
	score, hard    string
	cut            string
	language       string
	transfer       transferring
	pilot          piloting
	seed           uint64
	method         data.Method
}

// asks says which command of data is called: "score", "prune", or "".
func (c *cli) asks() string {
	var words []string
	for _, a := range c.args {
		if !strings.HasPrefix(a, "-") {
			words = append(words, a)
		}
	}
	for i, w := range words {
		if w == "data" && i+1 < len(words) {
			return words[i+1]
		}
		if w == "model" {
			return ""
		}
	}
	return ""
}

// methodNamed is what --method says on the command line, or a default.
func (c *cli) methodNamed(text string) string {
	for i, a := range c.args {
		if a == "--" {
			break
		}
		if x, ok := strings.CutPrefix(a, "--method="); ok {
			text = x
		} else if a == "--method" && i+1 < len(c.args) {
			text = c.args[i+1]
		}
	}
	return text
}

// chooseOfData reads the method that --method names, as choose does for networks. Of the
// command that is not called it is the default.
func (c *cli) chooseOfData(command, text string) data.Method {
	called := c.asks() == command
	if called {
		text = c.methodNamed(text)
	}
	m, spec, err := dataall.Parse(text)
	if !called {
		return m
	}
	c.pares = m // whose fields an error may name
	switch {
	case err != nil:
		err = usage("%s", catalog.Rename(err, c.flagOf))
	case dataall.Scores(m) && command == "prune":
		err = usage("method %s scores samples and chooses none: see pare data score; its scores are for --score, as of --method rank", m.Card().Name)
	case !dataall.Scores(m) && command == "score":
		err = usage("method %s chooses samples and gives no scores: see pare data prune", m.Card().Name)
	}
	c.wrong, c.spec = err, spec
	return m
}

// flags are those of a command that runs a method of data.
func (q *fromFiles) flags(c *cli, cmd *cobra.Command, method string) {
	f := cmd.Flags()
	f.String("method", method, "method of the catalogue; NAME:SETTING=VALUE gives settings too")
	c.dataFlags(cmd, &q.spec, "data whose training set it is about")
	f.StringSliceVar(&q.logs, "dynamics", nil, "logs of trainings on it, which pare model train --record dynamics writes")
	f.StringVar(&q.embeddings, "embeddings", "", "embeddings of the samples: an array of NumPy, a row for each")
	f.StringVar(&q.encoder, "encoder", "", "network that makes embeddings of the samples, in place of --embeddings")
	f.StringVar(&q.layer, "layer", "", "value of the encoder that is taken (default: what its last layer is given)")
	f.Uint64Var(&q.seed, "seed", 1, "seed of all that is random")
	if m := q.method; c.wrong == nil && c.pares == m {
		settingFlags(cmd, m, settingsOf(m.Card().Name))
	}
	inSections(cmd)
	help := cmd.HelpFunc()
	cmd.SetHelpFunc(func(cmd *cobra.Command, a []string) {
		if c.helpless = c.wrong != nil && c.asks() == cmd.Name(); !c.helpless {
			help(cmd, a)
		}
	})
}

// inputs are the files that are read.
func (q *fromFiles) inputs() []input {
	in := append(dataFiles(q.spec), input{what: "file of embeddings", path: q.embeddings}, input{what: "encoder", path: q.encoder}, input{what: "score", path: q.score}, input{what: "score of the cut-off", path: q.cut}, input{what: "language model", path: q.language})
	in = append(in, q.transfer.inputs()...)
	in = append(in, input{what: "network of the pilot", path: q.pilot.network})
	for _, path := range q.logs {
		in = append(in, input{what: "log of training", path: path})
	}
	for _, path := range q.networks {
		in = append(in, input{what: "network", path: path})
	}
	return in
}

// job reads what a method works on. It checks first that the output can be written.
func (q *fromFiles) job(c *cli, cmd *cobra.Command, ends []string) (*data.Job, error) {
	if c.wrong != nil {
		return nil, c.wrong
	}
	for _, s := range catalog.Settings(q.method) {
		if cmd.Flags().Changed(s.Name) && c.spec.Gives(q.method, s.Name) {
			return nil, usage("--%s is given twice: in --method and as a flag; leave one out", s.Name)
		}
	}
	if err := q.sourced(); err != nil {
		return nil, err
	}
	if q.spec == "" || q.to == "" {
		return nil, usage("give --data SPEC and -o OUT%s\nSee: %s", ends[0], c.helpOf(cmd))
	}
	if q.embeddings != "" && q.encoder != "" {
		return nil, usage("--embeddings and --encoder: give one")
	}
	if err := c.claim(places{in: q.inputs(), out: []file{{"output", q.to, ends}}}); err != nil {
		return nil, err
	}
	o, err := c.engine()
	if err != nil {
		return nil, err
	}
	talks, err := q.speaks(c)
	if err != nil {
		return nil, err
	}
	d, err := c.open(q.spec)
	if err != nil {
		return nil, err
	}
	if d.Train == nil {
		return nil, fmt.Errorf("data %q has no training set", q.spec)
	}
	j := &data.Job{Set: d.Train, Norm: d.Norm, Seed: q.seed, Engine: o, Log: c.log()}
	if err := q.listens(c, j, talks); err != nil {
		return nil, err
	}
	for _, s := range []*dataset.Set{d.Val, d.Test} {
		if s != nil {
			j.Held = append(j.Held, s)
		}
	}
	for _, path := range q.logs {
		l, err := dynamics.Read(path)
		if err != nil {
			return nil, err
		}
		j.Dynamics = append(j.Dynamics, l)
	}
	for _, path := range q.networks {
		g, err := c.network(path, "", outputsFor(q.method, j.Set), q.seed)
		if err != nil {
			return nil, err
		}
		j.Networks = append(j.Networks, g)
	}
	if err := q.embed(c, j, d); err != nil {
		return nil, err
	}
	if err := q.targets(c, j, d); err != nil {
		return nil, err
	}
	if err := q.readScores(c, j); err != nil {
		return nil, err
	}
	return j, q.pilot.ready(c, cmd, q, j, d)
}

// speaks opens the language model, whose tokens texts become; nil: there is none.
func (q *fromFiles) speaks(c *cli) (*local.Model, error) {
	if q.language == "" {
		return nil, nil
	}
	m, err := c.language(q.language, &speaking{})
	if err != nil {
		return nil, err
	}
	c.tokens = m.Tokenizer
	return m, nil
}

// listens gives the language model to a job, for texts as long as its samples.
func (q *fromFiles) listens(c *cli, j *data.Job, m *local.Model) error {
	if m == nil {
		return nil
	}
	if x := j.Set.X(); x.Ints == nil || x.Tokens == 0 || !dataall.Scores(q.method) {
		return m.Close() // a method that needs it says why it cannot
	}
	s, err := m.Scorer(c.ctx, j.Set.X().Size())
	if err != nil {
		return spoken(err)
	}
	c.held = append(c.held, func() {
		s.Close()
		m.Close() //nolint:errcheck // it was read
	})
	j.Language = s
	return nil
}

// embed reads or makes embeddings.
func (q *fromFiles) embed(c *cli, j *data.Job, d *dataset.Data) (err error) {
	switch {
	case q.embeddings != "":
		j.Embeddings, err = data.ReadEmbeddings(q.embeddings, j.Set)
	case q.encoder != "":
		var g *graph.Graph
		if g, err = c.load(q.encoder); err != nil {
			return err
		}
		var layer string
		if j.Embeddings, layer, err = data.Embed(c.ctx, g, q.layer, j.Set, d.Norm, j.Engine); err == nil {
			c.say("note: %s: embeddings of %d numbers, from %s", q.encoder, j.Embeddings.D, layer)
		}
	case q.layer != "":
		err = usage("--layer %s is one of an encoder: give --encoder", q.layer)
	}
	return err
}

func (q *fromFiles) readScores(c *cli, j *data.Job) (err error) {
	if q.score == "" {
		if q.hard != "" || q.cut != "" {
			return usage("--hard and --cut say more of a score: give --score")
		}
		return nil
	}
	if j.Score, err = data.ReadScore(q.score); err != nil {
		return err
	}
	if q.hard != "" {
		j.Score.Hard = data.End(q.hard)
	}
	if j.Score.Data == "" {
		c.say("note: %s does not say which data its scores are of: they are taken for this one's", q.score)
	}
	if q.cut != "" {
		j.Cut, err = data.ReadScore(q.cut)
	}
	return err
}

// write writes a file of what a method has made, and the notes.
func (q *fromFiles) write(c *cli, res *data.Result, encode func(ext string) ([]byte, error)) error {
	for i, n := range res.Notes {
		res.Notes[i] = catalog.Text(n.With(c.flagOf))
		c.say("note: %s", res.Notes[i])
	}
	b, err := encode(filepath.Ext(q.to))
	if err != nil {
		return err
	}
	return renameio.WriteFile(q.to, b, 0o644, renameio.WithTempDir(filepath.Dir(q.to)))
}

// ofData calls fields of a job of data by flags.
var ofData = map[string]string{"Data": "data", "Dynamics": "dynamics", "Network": "network", "Embeddings": "embeddings", "Encoder": "encoder", "Layer": "layer", "Language": "model", "Score": "score", "Hard": "hard", "Cut": "cut", "Target": "target", "Surrogate": "surrogate", "Pilot": "pilot",
	"Subset": "subset", "Record": "record", "Recipe.Sampler": "sampler"}

// dataFlagOf is the flag of a field of a method of data, or its job; "": there is none.
func (c *cli) dataFlagOf(field string) string {
	if name := ofData[field]; name != "" && (c.asks() != "" || field == "Subset" || field == "Record") {
		return "--" + name
	}
	if c.pares != nil {
		if name := catalog.NameOf(c.pares, field); name != field {
			return "--" + name
		}
	}
	return ""
}
