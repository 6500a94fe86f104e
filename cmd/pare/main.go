// Command pare cuts away what a learning system does not need, and measures
// that what is left is smaller, faster and as good.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"pare/catalog"
	"pare/model"
	"pare/train"

	"github.com/spf13/cobra"
)

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50) // loops allocate nothing, so a tight heap costs no time
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// Exit statuses: 0 done, 1 failed, 2 wrong use, 130 stopped twice.
func run(args []string, stdout, stderr io.Writer) (status int) {
	defer func() {
		if r := recover(); r != nil {
			fmt.Fprintf(stderr, "pare: internal error: %v\nPlease report it with the command and, if you can, the file.\n", r)
			if os.Getenv("PARE_DEBUG") != "" {
				stderr.Write(debug.Stack()) //nolint:errcheck // there is nowhere left to report to
			}
			status = 1
		}
	}()
	ctx, stop := interruptible(stderr)
	defer stop()
	c := &cli{out: stdout, err: stderr, args: args}
	root := c.root()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil && c.helpless {
		err = c.wrong
	}
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "pare: %s\n", c.explain(err))
	var u usageError
	var bad *catalog.Error
	if errors.As(err, &u) || errors.As(err, &bad) {
		return 2
	}
	return 1
}

// explain says what is wrong, and what to do.
func (c *cli) explain(err error) string {
	switch {
	case errors.Is(err, train.ErrInterrupted):
		return fmt.Sprintf("%v\nRun the same command with --resume to go on.", err)
	case errors.Is(err, context.Canceled):
		return "stopped; nothing was written"
	}
	return catalog.Rename(err, c.flagOf)
}

// usageError is wrong use: exit status 2.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

func usage(format string, a ...any) error { return usageError{fmt.Errorf(format, a...)} }

// interruptible ends the context at the first interrupt, and the process at
// the second.
func interruptible(w io.Writer) (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ch := make(chan os.Signal, 2)
	signal.Notify(ch, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		select {
		case <-ch:
		case <-done:
			return
		}
		fmt.Fprintln(w, "\npare: stopping, saving what is done (once more to stop at once)")
		cancel()
		select {
		case <-ch:
			os.Exit(130)
		case <-done:
		}
	}()
	return ctx, func() { signal.Stop(ch); close(done); cancel() }
}

// cli is what the commands share.
type cli struct {
	out, err io.Writer
	args     []string // what the program was called with
	json     bool
	threads  int
	use      use

	method   model.Method // that the command line names
	spec     catalog.Spec // the settings that it gives to it there
	wrong    error        // what is wrong with both
	helpless bool         // the help of a wrong method was asked for
}

func (c *cli) root() *cobra.Command {
	r := &cobra.Command{
		Use:   "pare",
		Short: "Cut away what a network does not need, and measure what is left",
		Long: `Pare makes trained networks smaller and faster, and measures that they are as good.
It takes any ONNX file; there is nothing else to install.

  pare quickstart                              see the whole of it on built-in data, in under a minute
  pare model inspect net.onnx                  what is in a network, and what can be cut
  pare model prune net.onnx -o small.onnx --method channels --flops 0.5 --data cifar10:DIR
  pare model bench small.onnx --vs net.onnx    is it faster? side by side`,
		SilenceUsage: true, SilenceErrors: true,
		Version: version(),
		Args:    cobra.ArbitraryArgs,
		RunE:    noCommand,
	}
	r.PersistentFlags().BoolVar(&c.json, "json", false, "write the result as JSON")
	r.PersistentFlags().IntVar(&c.threads, "threads", 0, "threads to use (0: one for each core)")
	r.SetFlagErrorFunc(c.flagError)
	r.AddCommand(c.quickstart(), c.model(), c.methods(), c.reproduce(), c.docs())
	complete(r)
	return r
}

// atMostOne wants no argument or one.
func atMostOne(cmd *cobra.Command, a []string) error {
	if len(a) > 1 {
		return usage("%s takes one argument at most, not %d\nSee: %s --help", cmd.CommandPath(), len(a), cmd.CommandPath())
	}
	return nil
}

// noCommand is run where the words after a command name none below it.
func noCommand(cmd *cobra.Command, a []string) error {
	if len(a) == 0 {
		return cmd.Help()
	}
	text := fmt.Sprintf("there is no command %q", a[0])
	var names []string
	for _, s := range cmd.Commands() {
		names = append(names, s.Name())
	}
	if near := catalog.Nearest(a[0], names); near != "" {
		text += fmt.Sprintf("; did you mean %s %s?", cmd.CommandPath(), near)
	}
	return usage("%s\nSee: %s --help", text, cmd.CommandPath())
}

func version() string {
	if b, ok := debug.ReadBuildInfo(); ok && b.Main.Version != "" {
		return b.Main.Version
	}
	return "(devel)"
}

// args wants exactly the named arguments.
func args(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, a []string) error {
		if len(a) != len(names) {
			want := "no arguments"
			if len(names) > 0 {
				want = strings.Join(names, " ")
			}
			return usage("%s takes %s; %d arguments are given\nSee: %s --help", cmd.CommandPath(), want, len(a), cmd.CommandPath())
		}
		return nil
	}
}
