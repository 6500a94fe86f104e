package main

import (
	"cmp"
	"fmt"
	"time"

	"pare/catalog"
	"pare/continual"
	"pare/measure"
	"pare/onnx"
	"pare/report"

	"github.com/spf13/cobra"
)

// streaming is what the flags of continual say.
type streaming struct {
	continual.Options
	out    string
	axes   []string
	rounds int
	force  bool
}

func (c *cli) continual() *cobra.Command {
	q := &streaming{}
	cmd := &cobra.Command{Use: "continual FILE -o STEP.onnx", Short: "Make a network of clips into one that runs on a stream, frame by frame", Args: args("FILE"),
		Long: `Writes a step network: it takes the newest frames and a state, and gives what the network gives for the window that
ends there, with the same weights, from results that are kept. States are inputs and outputs (state_in_N, state_out_N),
zeros at first, so that any runtime runs it; pare model stream does. What has no form on a stream is refused by name.

Convolutions see zeros before the stream, as a clip that is as long as the stream is padded: a network trained on short
padded clips gives other numbers inside a stream than for each clip by itself.`,
		Example: `  pare model continual keywords.onnx -o step.onnx --time-axis 2
  pare model continual encoder.onnx -o step.onnx --time-axis 1 --positions recycle
  pare model continual video.onnx -o step.onnx --time-axis frames=2 --window 64`,
		RunE: func(cmd *cobra.Command, a []string) error { return c.runContinual(cmd, a[0], q) }}
	f := cmd.Flags()
	f.StringVarP(&q.out, "output", "o", "", "file to write")
	f.StringSliceVar(&q.axes, "time-axis", nil, "axis of time, from 0, or NAME=AXIS for each input that has one (else an axis that is named after it)")
	f.IntVar(&q.Window, "window", 0, "frames of a clip, over which averages, layers over all frames and attention run (0: as the network says)")
	f.BoolVar(&q.Recompute, "recompute", false, "compute what has no form on a stream anew at every step, on the frames of a clip")
	f.StringVar(&q.Positions, "positions", "refuse", "positions that are added along time: refuse, or recycle (a frame keeps that of its arrival, in turn)")
	f.IntVar(&q.Refresh, "refresh", 256, "steps after which sums of attention are computed anew, whatever their state")
	f.IntVar(&q.rounds, "rounds", 9, "rounds in which a clip and a step are timed in turn (0: none)")
	f.BoolVar(&q.force, "force", false, "write over the input network")
	c.sizeFlags(cmd)
	inSections(cmd)
	return cmd
}

// streamFlags calls settings of a stream by their flags.
func streamFlags(field string) string {
	if field == "Axes" {
		return "--time-axis"
	}
	return map[string]string{"Window": "--window", "Recompute": "--recompute", "Positions": "--positions", "Refresh": "--refresh"}[field]
}

func (c *cli) runContinual(cmd *cobra.Command, name string, q *streaming) error {
	if q.out == "" {
		return usage("no output: give -o STEP.onnx")
	}
	if q.Positions != "refuse" && q.Positions != "recycle" {
		return usage("--positions %s: refuse or recycle is needed", q.Positions)
	}
	if err := cmp.Or(atLeast(0, "window", q.Window), atLeast(1, "refresh", q.Refresh), atLeast(0, "rounds", q.rounds)); err != nil {
		return err
	}
	if err := c.claim(places{[]input{{"input", name, true}}, []file{{"output", q.out, networks}}, q.force}); err != nil {
		return err
	}
	o, err := c.engine()
	if err != nil {
		return err
	}
	g, err := c.load(name)
	if err != nil {
		return err
	}
	axes, note, err := continual.ParseAxes(g, q.axes)
	if err != nil {
		return usage("%s", catalog.Rename(err, streamFlags))
	}
	if q.Axes = axes; note != "" {
		c.say("note: %s: %s", name, note.With(streamFlags))
	}
	clip, err := q.Clip(g)
	if err != nil {
		return usage("%s: %s", name, catalog.Rename(err, streamFlags))
	}
	if err := c.settle(name, clip); err != nil {
		return err
	}
	g.Usage = clip.Usage
	s, err := continual.Convert(g, q.Options)
	if err != nil {
		return usage("%s: %s", name, catalog.Rename(err, streamFlags))
	}
	for _, n := range s.Notes {
		c.say("note: %s: %s", name, n.With(streamFlags))
	}
	size, _ := measure.Count(clip)
	if err := s.Compared(size.MACs); err != nil {
		return err
	}
	cost := &measure.Streaming{ClipMACs: size.MACs, StepMACs: s.MACs}
	if q.rounds > 0 {
		if cost, err = measure.Streamed(cmd.Context(), clip, s, 1, q.rounds, 50*time.Millisecond, o); err != nil {
			return err
		}
	}
	if err := onnx.Save(q.out, s.Graph, onnx.Options{}); err != nil {
		return err
	}
	if c.json {
		return c.printJSON(map[string]any{"file": q.out, "form": s.Form, "cost": cost})
	}
	return c.printContinual(q.out, s, cost, measure.EngineName(o))
}

// printContinual shows what a step takes, beside a clip.
func (c *cli) printContinual(out string, s *continual.Step, cost *measure.Streaming, engine string) error {
	frames := "1 frame"
	if s.Frames > 1 {
		frames = fmt.Sprintf("%d frames", s.Frames)
	}
	fmt.Fprintf(c.out, "%s: a step takes %s; the first output comes with frame %d, then one output a step; %d states\n", out, frames, s.Delay+1, len(s.States))
	if s.Phase > 0 {
		fmt.Fprintf(c.out, "the first step begins with %d frames of zeros, before the stream\n", s.Phase)
	}
	t := &report.Table{Columns: []string{"for one output", "multiply-accumulates", "relative", "time", "time, relative"}}
	clip := []report.Cell{report.Text(fmt.Sprintf("clip of %d frames", s.Clip)), report.Scaled(float64(cost.ClipMACs)), report.Ratio(1, 0), report.Text(""), report.Text("")}
	step := []report.Cell{report.Text("step"), report.Scaled(float64(cost.StepMACs)), report.Ratio(float64(cost.StepMACs)/max(1, float64(cost.ClipMACs)), 0), report.Text(""), report.Text("")}
	if cost.Clip.Median > 0 {
		clip[3], clip[4] = cost.Clip.Millis(), report.Ratio(1, 0)
		step[3], step[4] = cost.Step.Millis(), report.Ratio(cost.Ratio.Median, cost.Ratio.Half)
	}
	t.Rows = append(t.Rows, clip, step)
	t.Print(c.out, c.width())
	if s.Refresh > 0 {
		fmt.Fprintf(c.out, "where sums of attention are computed anew, a step takes %s more\n", report.Scaled(float64(s.Form.Refresh)).Text)
	}
	if cost.Clip.Median > 0 {
		fmt.Fprintf(c.out, "times: %s\n", engine)
	}
	return nil
}
