package main

import (
	"cmp"
	"slices"

	"pare/catalog"
	"pare/model"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// cutTargets are the settings that a goal seeks.
var cutTargets = []string{"sparsity", "macs"}

// budgets are the settings beside them that say what may stay of channels.
var budgets = []string{"params", "bytes", "activations", "latency", "widths"}

// settingOfMethod says whether the chosen method has a setting.
func (c *cli) settingOfMethod(name string) bool {
	if c.wrong != nil {
		return false
	}
	_, err := catalog.Find(c.method, name)
	return err == nil
}

// budgets lets the method's own targets go where others are given, or are asked for
// otherwise, and they are not.
func (c *cli) budgets(cmd *cobra.Command, asked ...string) (err error) {
	one := model.OneTarget(c.method, func(name string) bool {
		given, wrong := c.given(cmd, name)
		err = cmp.Or(err, wrong)
		return given || slices.Contains(asked, name)
	})
	return cmp.Or(err, one)
}

// givenSome is the first of some settings that is given, "" for none.
func (c *cli) givenSome(cmd *cobra.Command, names []string) (string, error) {
	for _, name := range names {
		if !c.settingOfMethod(name) {
			continue
		}
		if given, err := c.given(cmd, name); err != nil || given {
			return name, err
		}
	}
	return "", nil
}

// seek finds the target of the method that --max-drop or --latency asks for, and
// leaves it in the method's settings; nil where neither is given, or the method's own
// settings are what is to be met.
func (c *cli) seek(cmd *cobra.Command, j *model.Job, q *goal) (*catalog.Assignment, error) {
	drop, latency := cmd.Flags().Changed("max-drop"), q.Latency > 0
	if q.LatencyCmd != "" && !latency {
		return nil, usage("--latency-cmd measures what --latency asks for: give both")
	}
	switch {
	case !drop && !latency:
		return nil, nil
	case q.Latency == 1:
		return nil, usage("--latency 1: a share below 1, or a time such as 8ms, is needed")
	}
	if drop && latency {
		return nil, usage("--max-drop and --latency are two goals of method %s: give one (methods that cut channels meet both)", c.method.Card().Name)
	}
	target, err := c.givenSome(cmd, cutTargets)
	if err != nil {
		return nil, err
	}
	other, err := c.givenSome(cmd, budgets)
	if err != nil {
		return nil, err
	}
	beside := drop && (target == "macs" || other != "")
	if m, ok := c.method.(interface{ Cuts() int }); ok && drop && m.Cuts() > 1 && j.Recipe.Epochs > 0 {
		return nil, c.dropInSteps(cmd, j, q.Drop, beside)
	}
	switch {
	case target != "" && !beside:
		return nil, usage("--max-drop and --latency seek the target themselves: leave --%s out", target)
	case drop && j.Data == nil:
		return nil, usage("--max-drop measures on data: give --data")
	case beside:
		return nil, model.Holds(cmd.Context(), c.method, j, q.Drop)
	}
	var g model.Goal
	if latency {
		g, err = model.MaxLatency(cmd.Context(), j, q.Latency, q.LatencyCmd)
	} else {
		g, err = model.MaxDrop(cmd.Context(), j, q.Drop)
	}
	if err != nil {
		return nil, err
	}
	if err := c.budgets(cmd, cutTargets...); err != nil { // what is sought is asked for
		return nil, err
	}
	found, err := model.Seek(cmd.Context(), c.method, j, g)
	if err != nil {
		return nil, err
	}
	c.say("found: --%s %s", found.Name, found.Value)
	return found, nil
}

// farInSteps is the share of the multiply-accumulates that cuts in steps go to where only
// what they may lose is asked for.
const farInSteps = "0.25"

// dropInSteps asks for cuts that go on as long as the training behind each wins enough back.
func (c *cli) dropInSteps(cmd *cobra.Command, j *model.Job, most float64, target bool) error {
	if j.Data == nil {
		return usage("--max-drop measures on data: give --data")
	}
	j.MaxDrop = &most
	if target {
		return nil
	}
	if err := c.budgets(cmd, cutTargets...); err != nil {
		return err
	}
	macs, err := catalog.Find(c.method, "macs")
	if err != nil {
		return err
	}
	c.say("the cuts go towards --macs %s, as long as they may (give --macs for another end)", farInSteps)
	return macs.Set(farInSteps)
}

// otherNames lets flags be given by the other names of a method's settings.
func otherNames(cmd *cobra.Command, m model.Method) {
	other := map[string]string{}
	for _, s := range catalog.Settings(m) {
		for _, a := range s.Alias {
			other[a] = s.Name
		}
	}
	if len(other) == 0 {
		return
	}
	was := cmd.Flags().GetNormalizeFunc()
	cmd.Flags().SetNormalizeFunc(func(f *pflag.FlagSet, name string) pflag.NormalizedName {
		if to := other[name]; to != "" {
			name = to
		}
		return was(f, name)
	})
}
