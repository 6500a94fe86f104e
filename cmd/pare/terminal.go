package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"pare/catalog"
	"pare/internal/printable"
	"pare/model"
	"pare/train"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// output is a stream that remembers what went wrong with it.
type output struct {
	w   io.Writer
	err error
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	if o.err == nil {
		o.err = err
	}
	return n, err
}

// terminal gives a stream that is a terminal, else nil.
func terminal(w io.Writer) *os.File {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}

// width is the terminal's width, 0 where the output is not a terminal.
func (c *cli) width() int {
	if c.outTTY == nil {
		return 0
	}
	w, _, err := term.GetSize(int(c.outTTY.Fd()))
	if err != nil {
		return 0
	}
	return w
}

// say writes progress to standard error.
func (c *cli) say(format string, a ...any) { fmt.Fprintf(c.err, format+"\n", a...) }

// log gives methods a way to speak: standard error, unless JSON is wanted.
func (c *cli) log() func(string, ...any) {
	if c.json {
		return nil
	}
	return func(format string, a ...any) {
		c.say("%s", catalog.Text(fmt.Sprintf(format, a...)).With(c.flagOf))
	}
}

// printJSON writes a value for machines.
func (c *cli) printJSON(v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := c.out.Write(printable.JSON(b.Bytes()))
	return err
}

// bar is a progress bar with the time left on a terminal, nothing in a pipe.
type bar struct{ p *progressbar.ProgressBar }

func (c *cli) bar(total int, what string) *bar {
	if c.errTTY == nil {
		return &bar{}
	}
	return &bar{progressbar.NewOptions(total, progressbar.OptionSetWriter(c.errTTY), progressbar.OptionSetDescription(printable.Line(what)), progressbar.OptionShowCount(),
		progressbar.OptionSetPredictTime(true), progressbar.OptionSetElapsedTime(false), progressbar.OptionClearOnFinish(), progressbar.OptionSetWidth(24),
		progressbar.OptionThrottle(100_000_000), progressbar.OptionFullWidth())}
}

func (b *bar) set(n int, what string) {
	if b.p != nil {
		b.p.Describe(printable.Line(what))
		b.p.Set(n) //nolint:errcheck // a bar may fail to draw
	}
}

// clear takes the bar away; the next step draws it again.
func (b *bar) clear() {
	if b.p != nil {
		b.p.Clear() //nolint:errcheck // a bar may fail to draw
	}
}

// grow changes the number of steps, which some methods learn on the way.
func (b *bar) grow(total int) {
	if b.p != nil && b.p.GetMax() != total {
		b.p.ChangeMax(total)
	}
}

func (b *bar) done() {
	if b.p != nil {
		b.p.Finish() //nolint:errcheck // a bar may fail to draw
	}
}

// work runs a job under a progress bar.
func (c *cli) work(j *model.Job, what string, f func() (*model.Result, error)) (*model.Result, error) {
	b := c.bar(max(1, j.Steps()), what)
	defer b.done()
	j.OnStep = func(step, total int, loss float64) {
		b.grow(total)
		b.set(step, fmt.Sprintf("%s, loss %.3f", what, loss))
	}
	j.Epoch = func(e train.Epoch) {
		if !c.json {
			b.clear()
			wait := ""
			if e.Waiting >= .05 || j.Data.Train.Stream != nil {
				wait = fmt.Sprintf(", waited for data %.1f %% of the time", 100*e.Waiting)
			}
			held := ""
			if e.Score.Metric != "" {
				held = fmt.Sprintf(", held out: loss %.4f, %s %s", e.ValLoss, e.Score.Metric, e.Score.Show())
			}
			c.say("epoch %d: loss %.4f%s%s", e.Epoch, e.Loss, held, wait)
		}
	}
	return f()
}
