package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestMain lets the tests run the program itself: the test's binary is the command
// where this is set. They leave no runs, but for those that are about them.
func TestMain(m *testing.M) {
	if os.Getenv("PARE_TEST_COMMAND") != "" {
		main()
	}
	os.Setenv(runsEnv, noRuns) //nolint:errcheck // tests of runs take it back
	os.Exit(m.Run())
}

// program is the command as a process of its own.
func program(t *testing.T, dir string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	c := exec.Command(os.Args[0], args...)
	c.Dir, c.Env = dir, append(os.Environ(), "PARE_TEST_COMMAND=1", "GOCOVERDIR="+t.TempDir())
	var said bytes.Buffer
	c.Stderr = &said
	return c, &said
}

// status waits for a process, not for ever.
func status(t *testing.T, c *exec.Cmd) int {
	t.Helper()
	late := time.AfterFunc(time.Minute, func() { c.Process.Kill() }) //nolint:errcheck // it may have ended
	defer late.Stop()
	var exit *exec.ExitError
	if err := c.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return c.ProcessState.ExitCode()
}

func full(t *testing.T) *os.File {
	t.Helper()
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func closedPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	t.Cleanup(func() { w.Close() })
	return w
}

// The statuses that scripts rely on.
func TestStatuses(t *testing.T) {
	dir := t.TempDir()
	net(t, dir)
	for _, c := range []struct {
		want int
		out  *os.File
		said string
		args string
	}{
		{0, nil, "", "methods"},
		{0, nil, "", "model prune --help"},
		{0, nil, "", "--version"},
		{0, nil, "", "model convert net.onnx -o c.pare"},
		{1, nil, "no such file", "model inspect absent.onnx"},
		{1, full(t), "no space left", "methods"},
		{1, full(t), "no space left", "methods --json"},
		{1, full(t), "no space left", "model inspect net.onnx"},
		{1, full(t), "no space left", "model prune --help"},
		{1, closedPipe(t), "broken pipe", "methods"},
		{1, closedPipe(t), "broken pipe", "model bench net.onnx --rounds 1 --json"},
		{1, nil, "too large", "model convert wrn-10-99999999 -o x.onnx"},
		{1, nil, "too large", "model convert bert-999999-99999999-3 -o x.onnx"},
		{1, nil, "too large", "model train mlp:64-99999999-99999999-10 --data digits -o x.onnx"},
		{1, nil, "memory", "model eval net.onnx --memory 100M --data glyph?n=4000000"},
		{1, nil, "allowed", "model bench net.onnx --memory 200M --batch 100000"},
		{1, nil, "device", "model inspect /dev/zero"},
		{2, nil, "did you mean pare model?", "modle"},
		{2, nil, "did you mean pare model prune?", "prun"},
		{2, nil, "did you mean pare model prune?", "model prun"},
		{2, nil, "did you mean --match, --max-drop, --memory, --method, --metric, --momentum or --mt?", "model prune net.onnx --m"},
		{2, nil, "--memory lots: a size of at least 1M is needed", "methods --memory lots"},
		{2, nil, "end in .onnx or .pare", "model prune net.onnx -o x.tflite"},
		{2, nil, "is the input itself: give another file, or --force", "model prune net.onnx -o net.onnx"},
	} {
		p, said := program(t, dir, strings.Fields(c.args)...)
		if c.out != nil {
			p.Stdout = c.out
		}
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		if got := status(t, p); got != c.want || !strings.Contains(said.String(), c.said) || strings.Contains(said.String(), "goroutine") {
			t.Errorf("pare %s: status %d, want %d; said %q, want %q", c.args, got, c.want, said, c.said)
		}
	}
}

// A value that a flag cannot have is wrong use, of every flag of every command.
func TestWrongValues(t *testing.T) {
	c := newCLI(nil, &bytes.Buffer{}, &bytes.Buffer{})
	tried := 0
	var walk func(cmd *cobra.Command, path []string)
	walk = func(cmd *cobra.Command, path []string) {
		cmd.InheritedFlags() // they join the others
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			switch kind := f.Value.Type(); {
			case f.Name == "help" || f.Name == "version" || kind == "string" || kind == "strings" || kind == "stringSlice" || kind == "stringArray" || kind == "file":
				return
			}
			if s, ok := f.Value.(*settingFlag); ok && (s.IsList() || s.Kind == "string" || s.Kind == "text") && s.Choices == nil {
				return
			}
			tried++
			if s, _, e := pare(t, append(path, "--"+f.Name+"=no\x1bvalue")...); s != 2 || !strings.Contains(e, f.Name) || strings.Contains(e, "\x1b") {
				t.Errorf("%v --%s (%s): status %d, %q", path, f.Name, f.Value.Type(), s, e)
			}
		})
		for _, s := range cmd.Commands() {
			if s.Name() != "completion" && s.Name() != "help" {
				walk(s, append(append([]string{}, path...), s.Name()))
			}
		}
	}
	walk(c.root(), nil)
	if tried < 60 {
		t.Errorf("%d flags were tried", tried)
	}
}

// until waits for something to become so.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("in vain was waited until ", what)
		}
	}
}

func there(path string) func() bool {
	return func() bool { _, err := os.Stat(path); return err == nil }
}

// written is when a file was written last, zero where there is none.
func written(path string) time.Time {
	st, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return st.ModTime()
}

// A signal is heard in training and while measuring; what is done
// is saved, and the status is the signal's. Two at once are one.
func TestSignals(t *testing.T) {
	dir := t.TempDir()
	net(t, dir)
	at := func(name string) string { return filepath.Join(dir, name) }
	train := "model train mlp:64-32-10 --data digits --batch 32 --epochs 5000 -o t.onnx --resume"
	for _, c := range []struct {
		sig   syscall.Signal
		args  string
		ready string // the file that is there when the signal is sent
		said  string
		after string // the file that is there then
	}{
		{syscall.SIGINT, train, "t.onnx.checkpoint", "its state is saved", "t.onnx.checkpoint"},
		{syscall.SIGTERM, train, "t.onnx.checkpoint", "its state is saved", "t.onnx.checkpoint"},
		{syscall.SIGHUP, train, "t.onnx.checkpoint", "its state is saved", "t.onnx.checkpoint"},
		{syscall.SIGINT, "model prune net.onnx -o p.onnx --sparsity 0.5", "p.onnx", "stopped while measuring; p.onnx is written", "p.onnx"},
	} {
		if signal.Ignored(c.sig) {
			continue // as nohup does with a hangup, for programs that are started from here too
		}
		p, said := program(t, dir, strings.Fields(c.args)...)
		before := written(at(c.ready))
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		until(t, c.ready+" was written", func() bool { return !written(at(c.ready)).Equal(before) })
		for range 2 {
			p.Process.Signal(c.sig) //nolint:errcheck // the status tells
			time.Sleep(time.Millisecond)
		}
		if got, want := status(t, p), 128+int(c.sig); got != want || !strings.Contains(said.String(), c.said) {
			t.Errorf("%v at %s: status %d, want %d; said %q", c.sig, c.args, got, want, said)
		}
		if c.after != "" && !there(at(c.after))() {
			t.Errorf("%v at %s: %s is not there", c.sig, c.args, c.after)
		}
	}
	for _, pattern := range []string{"*.lock", ".*"} {
		if left, _ := filepath.Glob(at(pattern)); left != nil {
			t.Errorf("left behind: %v", left)
		}
	}
}
