package main

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"pare/catalog"
	"pare/dataset"
	"pare/graph"
	"pare/graph/op"
	"pare/measure"
	"pare/model"

	"github.com/spf13/cobra"
)

// usageFlags is the heading of the flags that say how a network is used.
const usageFlags = "use of the network"

// shaped is an input with a shape: NAME:1x3x224x224.
var shaped = regexp.MustCompile(`^(.+):(\d+(?:x\d+)*)$`)

// use is what the flags say of what the network's file leaves open.
type use struct {
	sizes  []string // H=224
	inputs []string // NAME:1x3x224x224; of run also NAME=FILE
	output string
}

// sizeFlags are the flags of sizes.
func (c *cli) sizeFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSliceVar(&c.use.sizes, "size", nil, "sizes of the network's free axes, as H=224,W=224 (else those of the data, or assumed ones)")
	under(f.Lookup("size"), usageFlags)
	if f.Lookup("input") == nil {
		f.StringArrayVar(&c.use.inputs, "input", nil, "shape of an input, as NAME:1x3x224x224")
	}
	under(f.Lookup("input"), usageFlags)
}

// answerFlags are those of sizes and of the output that answers.
func (c *cli) answerFlags(cmd *cobra.Command) {
	c.sizeFlags(cmd)
	cmd.Flags().StringVar(&c.use.output, "output-of", "", "name of the output that answers, where the network has several")
	under(cmd.Flags().Lookup("output-of"), usageFlags)
}

// apply leaves in a network's usage what the flags say. A network beside the one that
// they are given for, such as a teacher, may lack what they name.
func (u *use) apply(g *graph.Graph, beside bool) error {
	for _, s := range u.sizes {
		name, value, ok := strings.Cut(s, "=")
		n, err := strconv.Atoi(value)
		if !ok || err != nil || n < 1 {
			return usage("--size %s: NAME=NUMBER is needed, such as H=224,W=224", s)
		}
		if beside && !slices.Contains(g.Free(), name) {
			continue
		}
		if err := g.SetSize(name, n); err != nil {
			return usage("--size: %v", err)
		}
	}
	ranked := false
	for _, s := range u.inputs {
		m := shaped.FindStringSubmatch(s)
		if m == nil {
			return usage("--input %s: NAME:SHAPE is needed, such as x:1x3x224x224", s)
		}
		var shape []int
		for _, d := range strings.Split(m[2], "x") {
			n, err := strconv.Atoi(d)
			if err != nil || n < 1 {
				return usage("--input %s: the sizes of a shape are whole numbers of at least 1", s)
			}
			shape = append(shape, n)
		}
		i := slices.IndexFunc(g.Inputs, func(v *graph.Value) bool { return v.Name == m[1] })
		if beside && i < 0 {
			continue
		}
		ranked = ranked || i >= 0 && g.Inputs[i].Shape == nil
		if err := g.SetShape(m[1], shape); err != nil {
			return usage("--input: %v", err)
		}
	}
	if u.output != "" && (!beside || slices.ContainsFunc(g.Outputs, func(o *graph.Value) bool { return o.Name == u.output })) {
		g.Usage.OutputOf = u.output
	}
	if ranked {
		return op.InferAll(g)
	}
	return nil
}

// notes prints what was assumed of a network.
func (c *cli) notes(what string, notes []catalog.Text) {
	for _, n := range notes {
		if what != "" {
			what = strings.TrimSuffix(what, ": ") + ": "
		}
		c.say("note: %s%s", what, n.With(c.flagOf))
	}
}

// fits checks that a network goes with data, and says what was assumed.
func (c *cli) fits(what string, g *graph.Graph, d *dataset.Data, r *model.Recipe) error {
	by, err := r.Judge()
	if err != nil {
		return err
	}
	notes, err := model.Fits(g, d, by)
	if err != nil {
		return err
	}
	c.notes(what, notes)
	return c.fitsLanguage(what, d)
}

// settle decides what sizes are still open, and says so.
func (c *cli) settle(what string, g *graph.Graph) error {
	notes, err := measure.Settle(g)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	c.notes(what, notes)
	return nil
}
