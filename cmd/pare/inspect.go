package main

import (
	"pare/measure"

	"github.com/spf13/cobra"
)

func (c *cli) inspect() *cobra.Command {
	var html string
	cmd := &cobra.Command{Use: "inspect FILE", Short: "Show layers, sizes, sparsity and the channels that go together", Args: args("FILE"),
		Example: `  pare model inspect net.onnx
  pare model inspect net.onnx --html net.html   # the network drawn, with its groups
  pare model inspect net.onnx --json`,
		RunE: func(cmd *cobra.Command, a []string) error {
			if err := c.claim(places{in: []input{{what: "input", path: a[0]}}, out: []file{{"html", html, pages}}}); err != nil {
				return err
			}
			g, err := c.load(a[0])
			if err != nil {
				return err
			}
			if err := c.settle(a[0], g); err != nil {
				return err
			}
			x, err := measure.InspectContext(c.ctx, g)
			if err != nil {
				return err
			}
			x.OnDisk = measure.FileBytes(a[0])
			if html != "" {
				if err := x.Page(a[0]).SaveHTML(html); err != nil {
					return err
				}
			}
			if c.json {
				return c.printJSON(x)
			}
			x.Report(3).Print(c.out, c.width())
			return nil
		}}
	cmd.Flags().StringVar(&html, "html", "", "write a page that draws the network, its groups and its sparsity")
	c.sizeFlags(cmd)
	inSections(cmd)
	return cmd
}
