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
	"slices"
	"strings"
	"syscall"

	"pare/catalog"
	"pare/data"
	"pare/internal/printable"
	"pare/lm/files"
	"pare/model"
	runs "pare/run"
	"pare/tokenizer"
	"pare/train"

	"github.com/spf13/cobra"
)

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50) // loops allocate nothing, so a tight heap costs no time
	}
	signal.Ignore(syscall.SIGPIPE, syscall.SIGXFSZ) // a write that fails is an error like others
	c := newCLI(os.Args[1:], os.Stdout, os.Stderr)
	c.guarded = true
	os.Exit(c.run())
}

// run runs a command line.
func run(args []string, stdout, stderr io.Writer) int { return newCLI(args, stdout, stderr).run() }

// Exit statuses: 0 done, 1 failed, 2 wrong use, 128 and the signal's number where one
// has stopped it: 130 at an interrupt, 143 at SIGTERM, 129 where the terminal is gone.
func (c *cli) run() (status int) {
	defer c.release()
	defer func() {
		if r := recover(); r != nil {
			status, c.failed = c.panicked(r), runs.Panicked(r)
		}
		c.endRun(status, c.failed)
	}()
	c.ctx = c.stop.listen(c.err)
	defer c.stop.end()
	err := c.takeJob()
	if err == nil {
		err = c.takeUp()
	}
	if err == nil {
		err = c.execute()
	}
	return c.ended(&c.stop, err)
}

// execute runs the command line.
func (c *cli) execute() error {
	root := c.root()
	root.SetArgs(c.args)
	root.SetOut(c.out)
	root.SetErr(c.err)
	err := root.ExecuteContext(c.ctx)
	if err == nil && c.helpless {
		err = c.wrong
	}
	if err == nil && c.out.err != nil {
		err = fmt.Errorf("the output cannot be written: %w", c.out.err)
	}
	return err
}

// ended says what went wrong, and gives the exit status.
func (c *cli) ended(stop *stopper, err error) int {
	c.failed = err
	if err == nil {
		return stop.status()
	}
	fmt.Fprintf(c.err, "pare: %s\n", c.explain(err))
	var u usageError
	var bad *catalog.Error
	switch stopped := errors.Is(err, context.Canceled) || errors.Is(err, train.ErrInterrupted); {
	case stopped && stop.status() != 0:
		return stop.status()
	case errors.As(err, &u) || errors.As(err, &bad):
		return 2
	}
	return 1
}

// panicked says what came to an end that nobody foresaw.
func (c *cli) panicked(r any) int {
	if err := runs.Panicked(r); errors.Is(err, runs.ErrMemory) {
		fmt.Fprintf(c.err, "pare: %v\n", err)
		return 1
	}
	fmt.Fprintf(c.err, "pare: internal error: %v\nPlease report it with the command and, if you can, the file.\n", r)
	if os.Getenv("PARE_DEBUG") != "" {
		c.err.Write(debug.Stack()) //nolint:errcheck // there is nowhere left to report to
	}
	return 1
}

// explain says what is wrong, and what to do.
func (c *cli) explain(err error) string {
	var at *stoppedError
	switch {
	case errors.Is(err, train.ErrInterrupted):
		return fmt.Sprintf("%v\nRun the same command with --resume to go on.", err)
	case errors.As(err, &at):
		return at.Error()
	case errors.Is(err, context.Canceled):
		return "stopped; nothing was written"
	}
	return catalog.Rename(err, c.flagOf)
}

// usageError is wrong use: exit status 2.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

// stoppedError says what stands where a signal has stopped a command.
type stoppedError struct{ text string }

func (s *stoppedError) Error() string { return s.text }

func (s *stoppedError) Unwrap() error { return context.Canceled }

func stopped(format string, a ...any) error { return &stoppedError{fmt.Sprintf(format, a...)} }

func usage(format string, a ...any) error { return usageError{fmt.Errorf(format, a...)} }

// cli is what the commands share.
type cli struct {
	out     *output   // standard output, made printable
	err     io.Writer // standard error, made printable
	outTTY  *os.File  // the terminals that they are, nil for none
	errTTY  *os.File
	args    []string // what the program was called with
	ctx     context.Context
	stop    stopper
	json    bool
	threads int
	memory  memory
	samples memory // that those of a data set may take
	guarded bool   // the process may be ended where it takes too much memory
	use     use    // what flags say of what a file leaves open
	inPlace bool   // networks are run, not changed: their weights are used where they lie

	languages map[string]*files.File // that were read, by their paths
	tokens    *tokenizer.Tokenizer   // of the language model that is worked on

	method    model.Method    // that the command line names
	pares     data.Method     // of training sets, that the command line names; nil: another command is called
	quantises any             // settings of quantize, whose fields an error may name; nil: another command is called
	rec       recording       // the run that the command leaves
	failed    error           // how the command ended
	spec      catalog.Spec    // the settings that it gives to it there
	wrong     error           // what is wrong with both
	helpless  bool            // the help of a wrong method was asked for
	hosting   bool            // the command that is made is that of a federation's server
	fitted    map[string]bool // models that go with the data of a sweep
	held      []func()        // gives back what this process has taken
}

func newCLI(args []string, stdout, stderr io.Writer) *cli {
	return &cli{out: &output{w: printable.Writer(stdout)}, err: printable.Writer(stderr), outTTY: terminal(stdout), errTTY: terminal(stderr), args: args}
}

// release gives back what was taken.
func (c *cli) release() {
	for _, f := range c.held {
		f()
	}
	c.held = nil
}

func (c *cli) root() *cobra.Command {
	r := &cobra.Command{
		Use:   "pare",
		Short: "Cut away what a network does not need, and measure what is left",
		Long: `Pare makes trained networks smaller and faster, and measures that they are as good.
It takes any ONNX file; there is nothing else to install.

  pare quickstart                              see the whole of it on built-in data, in under a minute
  pare model inspect net.onnx                  what is in a network, and what can be cut
  pare model prune net.onnx -o small.onnx --method channels --macs 0.5 --data cifar10:DIR
  pare model bench small.onnx --vs net.onnx    is it faster? side by side

Exit status: 0 done; 1 failed; 2 wrong use; 130 stopped by Ctrl-C, 143 by SIGTERM, 129 where the terminal is gone, each
with what is done saved.`,
		SilenceUsage: true, SilenceErrors: true,
		Version: version(),
		Args:    cobra.ArbitraryArgs,
		RunE:    noCommand,
		PersistentPreRun: func(*cobra.Command, []string) {
			if c.guarded {
				go c.guard(c.most())
			}
		},
	}
	r.PersistentFlags().BoolVar(&c.json, "json", false, "write the result as JSON")
	r.PersistentFlags().IntVar(&c.threads, "threads", 0, "threads to use (0: one for each core)")
	r.PersistentFlags().Var(&c.memory, "memory", "most memory to take, such as 512M or 8G (default: four fifths of the machine's)")
	r.SetFlagErrorFunc(c.flagError)
	r.AddCommand(c.quickstart(), c.model(), c.data(), c.sweeps(), c.runs(), c.methods(), c.reproduce(), c.federated(), c.serveLM(), c.serve(), c.worker(), c.docs())
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
	others := slices.Clone(cmd.Root().Commands())
	slices.SortStableFunc(others, func(a, b *cobra.Command) int { // networks come first
		return len(strings.TrimPrefix("model", a.Name())) - len(strings.TrimPrefix("model", b.Name()))
	})
	for _, under := range append([]*cobra.Command{cmd}, others...) {
		var names []string
		for _, s := range under.Commands() {
			names = append(names, s.Name())
		}
		if near := catalog.Nearest(a[0], names); near != "" {
			text += fmt.Sprintf("; did you mean %s %s?", under.CommandPath(), near)
			break
		}
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
