package main

import (
	"slices"

	"pare/engine"
	"pare/measure"
	"pare/model"

	"github.com/spf13/cobra"
)

// making is what flags say to each of the commands that make a network: prune, quantize and train.
type making struct {
	to               destination
	data, html, card string
	seed             uint64
	resume, force    bool
	untimed, strict  bool
	teaching         distillation
	recipe           model.Recipe
}

func newMaking() making { return making{recipe: model.Defaults(), teaching: softly()} }

// flags are those of the run. of is what is random; timed is whose speed is measured.
func (q *making) flags(c *cli, cmd *cobra.Command, of, timed string) {
	f := cmd.Flags()
	f.StringVar(&q.html, "report", "", "write a report page (.html)")
	f.StringVar(&q.card, "card", "", cardHelp)
	f.Uint64Var(&q.seed, "seed", 1, "seed of "+of)
	f.BoolVar(&q.resume, "resume", false, resumeOwn)
	f.BoolVar(&q.force, "force", false, "begin anew where there is a checkpoint; write over the input network")
	f.BoolVar(&q.untimed, "no-bench", false, "do not measure how fast "+timed)
	f.BoolVar(&q.strict, "strict", false, strictHelp)
	c.runFlags(cmd)
}

// trainingFlags are those of how the network is trained.
func (q *making) trainingFlags(c *cli, cmd *cobra.Command) {
	settingFlags(cmd, &q.teaching, distillationFlags)
	settingFlags(cmd, &q.recipe, recipeFlags)
	c.answerFlags(cmd)
}

// claim claims what is read and written (see places), with what a command has besides. The
// output ends in one of ends. It gives the files that are read, but for those of the data.
func (q *making) claim(c *cli, name string, ends []string, besides places) ([]input, error) {
	in := append([]input{{"input", name, true}, {what: "teacher", path: q.teaching.Teacher}}, besides.in...)
	out := slices.Concat([]file{{"output", q.to.path, ends}}, besides.out, []file{{"report", q.html, pages}, {"card", q.card, docPages}})
	return in, c.claim(places{append(dataFiles(q.data), in...), out, q.force})
}

// own begins the run, or takes up what is to be gone on with.
func (q *making) own(c *cli, cmd *cobra.Command, in []input) (*owned, error) {
	return c.own(cmd, q.to.path, q.resume, q.force, in...)
}

// job is the job that is asked for, without network and data.
func (q *making) job(c *cli, o engine.Options, own *owned) *model.Job {
	return &model.Job{Recipe: q.recipe, Seed: q.seed, Engine: o, Save: own.path, Resume: own.resume, Log: c.log()}
}

// read reads the network, and the data where there is some, and checks that they go together
// and that the network can be written where it is to go.
func (q *making) read(c *cli, name string, j *model.Job) (err error) {
	if j.Graph, err = c.load(name); err != nil {
		return err
	}
	if err := c.suits(&q.to, j.Graph, name); err != nil {
		return err
	}
	if q.data != "" {
		if err := c.ownTokens(name); err != nil {
			return err
		}
		if j.Data, err = c.open(q.data); err != nil {
			return err
		}
		if err := c.fits(name, j.Graph, j.Data, &j.Recipe); err != nil {
			return err
		}
	}
	return c.settle(name, j.Graph)
}

// made is the network that a result has, and where it is written.
func (q *making) made(res *model.Result) *measure.Network {
	return &measure.Network{Name: stem(q.to.path), File: q.to.path, Graph: res.Graph, Epochs: res.Epochs, Course: res.Course}
}

// outcome is what there is to show of a job.
func (q *making) outcome(title string, j *model.Job, networks ...*measure.Network) *outcome {
	return &outcome{title: title, networks: networks, data: j.Data, judge: j.Judge(), html: q.html, recipe: &j.Recipe, seed: q.seed,
		untimed: q.untimed, strict: q.strict, cards: cardOf(stem(q.to.path), q.to.path, q.card, q.html)}
}
