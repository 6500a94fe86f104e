package sweep

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pare/measure"
)

// inBytes is a command that says as many milliseconds as a file has bytes, and writes a line
// for each that it is asked for.
func inBytes(t *testing.T) (command string, asked func() int) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	return fmt.Sprintf(`echo x >> '%s'; wc -c < {}`, log), func() int {
		b, _ := os.ReadFile(log)
		return strings.Count(string(b), "x")
	}
}

// A command measures every network beside the one before, runs that were made before it was
// given too, and each once; another command measures anew, and none shows nothing.
func TestTimeByCommand(t *testing.T) {
	dir := t.TempDir()
	run := func(command string) []*Outcome {
		t.Helper()
		s := sweep2(t, dir, "channels:macs=0.3:round=1", "global-mp:mt=60")
		s.LatencyCmd = command
		timed := 0
		s.OnTime = func(done, all int) { timed = done + 100*all }
		outs, err := s.Run(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if n := len(s.Cells); timed != 101*n {
			t.Errorf("told of %d, of %d networks", timed, n)
		}
		return outs
	}
	for _, o := range run("") {
		if o.ByCommand != nil {
			t.Errorf("%s was timed by %+v", o.Label, o.ByCommand)
		}
	}
	command, asked := inBytes(t)
	outs := run(command)
	well, whole := 0, 0.0
	for _, o := range outs {
		if o.Label == Dense {
			whole = float64(o.Size.Bytes)
		}
	}
	for _, o := range outs {
		if o.Error != "" {
			if o.ByCommand != nil {
				t.Errorf("%s failed and was timed", o.Label)
			}
			continue
		}
		well++
		by, want := o.ByCommand, float64(o.Size.Bytes)
		if by == nil || by.Command != command || math.Abs(by.Ratio.Median-want/whole) > 1e-9 || by.Ratio.Half != 0 || math.Abs(by.Seconds.Median-want/1000) > 1e-9 {
			t.Errorf("%s of %v bytes, %v before: %+v", o.Label, want, whole, by)
		}
		if o.Label != Dense && want > .6*whole {
			t.Errorf("%s has %v bytes of %v: the ratio says little", o.Label, want, whole)
		}
	}
	if n := asked(); well != 4 || n != 10*well {
		t.Errorf("asked %d times for %d networks", n, well)
	}
	if again := run(command); asked() != 10*well || *again[0].ByCommand != *outs[0].ByCommand {
		t.Errorf("asked %d times more: %+v", asked()-10*well, again[0].ByCommand)
	}
	for _, o := range run("") {
		if o.ByCommand != nil {
			t.Errorf("%s shows a time that was not asked for", o.Label)
		}
	}
	run(command)
	if n := asked(); n != 10*well {
		t.Errorf("a run without the command lost its times: asked %d times more", n-10*well)
	}
	for _, o := range run("expr 1000000000 / $(wc -c < {})") { // the small are slow
		if o.Error != "" {
			continue
		}
		if got, want := o.ByCommand.Ratio.Median, whole/float64(o.Size.Bytes); math.Abs(got/want-1) > 1e-3 {
			t.Errorf("%s: %v by another command, want %v", o.Label, got, want)
		}
	}
}

// A command that fails is known before any run is made.
func TestCommandFails(t *testing.T) {
	s := sweep2(t, t.TempDir(), "global-mp")
	s.LatencyCmd = "echo no clock >&2; false {}"
	s.OnCell = func(o *Outcome, _, _ int) { t.Errorf("%s was run", o.Label) }
	if _, err := s.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "no clock") {
		t.Error(err)
	}
}

// The time by command is a column where there is one; what is slower than the network
// before is said, and by which clock.
func TestCosts(t *testing.T) {
	spread := func(m, h float64) *measure.Spread { return &measure.Spread{Median: m, Half: h} }
	rows := []*Row{{Label: Dense, Seeds: 1, MACs: 40e6, ONNX: 1e6, Time: 1, ByCommand: spread(1.04, 0)}, {Label: "a", Target: "0.5", Seeds: 1, MACs: 20e6, ONNX: 500e3, Time: 1.3, TimeHalf: .01, ByCommand: spread(.5, .02)},
		{Label: "b", Seeds: 1, MACs: 10e6, Time: 1.2, TimeHalf: .2, ByCommand: spread(1.5, .1)}, {Label: "c", Seeds: 1, Time: 2, ByCommand: spread(2, 0)}, {Label: "d", Failed: 1}}
	table := func() string {
		var b strings.Builder
		costTable(rows).Print(&b, 0)
		return b.String()
	}
	with := table()
	for _, want := range []string{"time by command", "0.50× ± 0.02", "20 M (0.50)", "500 kB", "40 M (1.00)"} {
		if !strings.Contains(with, want) {
			t.Errorf("no %q in\n%s", want, with)
		}
	}
	want := []string{"a 0.5: slower than the network before on Pare's engine (1.30 of its time)", "b: slower than the network before by the command (1.50 of its time)",
		"c: slower than the network before on Pare's engine (2.00 of its time) and by the command (2.00 of its time)"}
	if got := Notes(rows, nil); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%q", got)
	}
	for _, r := range rows {
		r.ByCommand = nil
	}
	if got := table(); strings.Contains(got, "time by command") {
		t.Error(got)
	}
}
