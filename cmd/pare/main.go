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
	"syscall"

	"pare/catalog"
	"pare/model"
	"pare/train"

	"github.com/spf13/cobra"
	"golang.org/x/term"
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
	switch {
	case err == nil:
		return 0
	case errors.Is(err, train.ErrInterrupted):
		fmt.Fprintf(stderr, "pare: %v\nRun the same command with --resume to go on.\n", err)
		return 1
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "pare: stopped; nothing was written")
		return 1
	}
	fmt.Fprintf(stderr, "pare: %s\n", catalog.Rename(err, c.flagOf))
	var u usageError
	var bad *catalog.Error
	if errors.As(err, &u) || errors.As(err, &bad) {
		return 2
	}
	return 1
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
	method   model.Method // that the command line names
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
		RunE: func(cmd *cobra.Command, a []string) error {
			if len(a) > 0 {
				return usage("there is no command %q\nSee: pare --help", a[0])
			}
			return cmd.Help()
		},
	}
	r.PersistentFlags().BoolVar(&c.json, "json", false, "write the result as JSON")
	r.PersistentFlags().IntVar(&c.threads, "threads", 0, "threads to use (0: one for each core)")
	r.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return c.flagError(cmd, err)
	})
	r.AddCommand(c.quickstart(), c.model(), c.methods(), c.reproduce(), c.docs())
	complete(r)
	return r
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
			return usage("%s takes %v, not %d arguments\nSee: %s --help", cmd.CommandPath(), names, len(a), cmd.CommandPath())
		}
		return nil
	}
}

// width is the terminal's width, 0 where the output is not a terminal.
func (c *cli) width() int {
	f, ok := c.out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	w, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return w
}

// say writes progress to standard error.
func (c *cli) say(format string, a ...any) { fmt.Fprintf(c.err, format+"\n", a...) }
