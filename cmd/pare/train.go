package main

import (
	"fmt"
	"os"
	"strings"

	"pare/catalog"
	"pare/data"
	"pare/dataset"
	"pare/model"
	runs "pare/run"
	"pare/train/dynamics"
	"pare/zoo"

	"github.com/spf13/cobra"
)

// training is what the flags of train say.
type training struct {
	making
	weights, subset, record string
}

func (c *cli) train() *cobra.Command {
	q := &training{making: newMaking()}
	q.recipe.Epochs = 20
	var families []string
	for _, f := range zoo.Families() {
		families = append(families, fmt.Sprintf("  %-28s %s", f.Name, f.Doc))
	}
	cmd := &cobra.Command{Use: "train ARCH|FILE --data SPEC -o OUT", Short: "Train a network of the zoo, or train one from a file further", Args: args("ARCH|FILE"),
		Example: "  pare model train resnet20 --data cifar10:DIR -o net.onnx --epochs 30 --lr 0.1 --crop 4 --flip\n  pare model train small.onnx --data cifar10:DIR -o better.onnx --teacher big.onnx\n\nNetworks of the zoo:\n" + strings.Join(families, "\n") + "\n\n" + dataset.Help,
		RunE:    func(cmd *cobra.Command, a []string) error { return c.runTrain(cmd, a[0], q) }}
	f := cmd.Flags()
	f.StringVarP(&q.to.path, "output", "o", "", "file to write (.onnx or .pare; of a language model also .gguf, or a folder)")
	q.to.flags(f)
	c.dataFlags(cmd, &q.data, "data to train on")
	f.StringVar(&q.subset, "subset", "", "train on these samples of the training set alone: a list of their numbers, as pare data prune writes it (where whole classes go, they go from the other sets too, and labels are numbered anew)")
	f.StringVar(&q.record, "record", "", "dynamics: note what the training makes of each sample, for pare data score, in a file beside the output (OUT.dynamics)")
	f.StringVar(&q.weights, "weights", "", "start from the weights of this .safetensors file")
	q.flags(c, cmd, "weights, order and augmentation", "the network is")
	q.trainingFlags(c, cmd)
	inSections(cmd)
	return cmd
}

func (c *cli) runTrain(cmd *cobra.Command, name string, q *training) error {
	if q.to.path == "" || q.data == "" {
		return usage("give --data SPEC and -o OUT\nSee: pare model train --help")
	}
	if err := q.to.settle(cmd); err != nil {
		return err
	}
	o, err := c.engine()
	if err != nil {
		return err
	}
	if q.record != "" && q.record != "dynamics" {
		return usage("--record %s: dynamics is what can be recorded", q.record)
	}
	in, err := q.claim(c, name, q.to.ends(), places{
		in:  []input{{what: "file of weights", path: q.weights}, {what: "subset", path: q.subset}},
		out: []file{{"record", q.log(), []string{dynamicsEnd}}},
	})
	if err != nil {
		return err
	}
	own, err := q.own(c, cmd, in)
	if err != nil {
		return err
	}
	if err := c.ownTokens(name); err != nil {
		return err
	}
	d, err := c.open(q.data)
	if err != nil {
		return err
	}
	if d, err = q.selected(d); err != nil {
		return err
	}
	g, err := c.networkFor(name, q.weights, d, q.seed, &q.recipe)
	if err != nil {
		return err
	}
	if err := c.suits(&q.to, g, name); err != nil {
		return err
	}
	j := q.job(c, o, own)
	j.Graph, j.Data = g, d
	if err := q.teaching.apply(c, cmd, j); err != nil {
		return err
	}
	j.Dense = j.Loss.Teacher
	if err := j.Check(); err != nil {
		return err
	}
	j.Recipe.Renorm = c.renorm(cmd, name, j.Recipe.Renorm)
	if q.record != "" {
		if j.Recipe.Keep == "auto" && d.Val == nil {
			j.Recipe.Keep = "last"
			c.say("note: the last epoch is kept, so that no samples are held out of what is recorded (--keep-epoch best holds some out)")
		}
		r := dynamics.NewRecorder(q.log(), dynamics.About{Network: runs.Digest(g), Recipe: catalog.Values(&j.Recipe), Seed: q.seed})
		defer r.Close() //nolint:errcheck // it is synced after each epoch
		j.Watch = append(j.Watch, r)
	}
	if err := c.noteJob(nil, j, q.data); err != nil {
		return err
	}
	res, err := c.fit(cmd, j, name)
	if err != nil {
		return err
	}
	c.tell(res)
	if res.Graph, err = c.save(&q.to, g, name); err != nil {
		return err
	}
	own.written()
	return own.end(c.finish(cmd, q.outcome("Training of "+name, j, q.made(res))))
}

// dynamicsEnd is how logs of training end.
const dynamicsEnd = ".dynamics"

// log is the file that the training is recorded in; "": it is not.
func (q *training) log() string {
	if q.record == "" {
		return ""
	}
	return q.to.path + dynamicsEnd
}

// selected is the data with the samples of --subset alone in its training set.
func (q *training) selected(d *dataset.Data) (*dataset.Data, error) {
	if q.subset == "" {
		return d, nil
	}
	s, err := data.ReadSubset(q.subset)
	if err != nil {
		return nil, err
	}
	if d.Train == nil {
		return nil, fmt.Errorf("data %q has no training set", q.data)
	}
	if d, err = s.Apply(d); err != nil {
		return nil, fmt.Errorf("%s: %w", q.subset, err)
	}
	return d, nil
}

// fit trains a job's network under a progress bar.
func (c *cli) fit(cmd *cobra.Command, j *model.Job, what string) (*model.Result, error) {
	return c.work(j, what, func() (*model.Result, error) { return j.Train(cmd.Context()) })
}

// renorm is the recipe's setting of that name: a network that is built by name had no
// exporter to fold anything away.
func (c *cli) renorm(cmd *cobra.Command, name, setting string) string {
	if _, err := os.Stat(name); err != nil && !cmd.Flags().Changed("renorm") {
		return "off"
	}
	return setting
}
