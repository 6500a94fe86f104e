package main

import (
	"pare/dataset"
	"pare/measure"
	"pare/model"

	"github.com/spf13/cobra"
)

// outcome is what a command that makes networks has to show.
type outcome struct {
	title, command string
	networks       []*measure.Network
	data           *dataset.Data
	html           string        // where the report goes, if anywhere
	result         *model.Result // of a method
	untimed        bool          // how fast the networks are is not measured
}

// finish measures, prints and writes the report. The networks have been written: no
// signal takes them away.
func (c *cli) finish(cmd *cobra.Command, x *outcome) error {
	o, err := c.engine()
	if err != nil {
		return err
	}
	err = measure.Networks(cmd.Context(), x.networks, x.data, o)
	if err == nil && !x.untimed {
		err = measure.Speeds(cmd.Context(), x.networks, o)
	}
	if cmd.Context().Err() != nil {
		return stopped("stopped while measuring; %s is written", x.networks[len(x.networks)-1].File)
	}
	if err != nil {
		return err
	}
	page := measure.Page(x.title, x.command, x.networks, x.data)
	if d := x.data; d != nil && d.Eval() == d.Train {
		c.say("note: accuracy is that of the training set, for there is no other; val=0.1 in --data keeps a part of it out")
	}
	if x.untimed {
		c.say("note: how fast the networks are was not measured (--no-bench); pare model bench does it")
	}
	if x.html != "" {
		if err := page.SaveHTML(x.html); err != nil {
			return err
		}
	}
	if c.json {
		out := map[string]any{"networks": x.networks}
		if x.result != nil {
			out["notes"], out["facts"] = x.result.Notes, x.result.Facts
		}
		return c.printJSON(out)
	}
	page.Print(c.out, c.width())
	return nil
}
