package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Budgets are given as users have them, alone and together; what comes out is within each,
// and the method's own target is not asked for beside them.
func TestBudgets(t *testing.T) {
	dir := t.TempDir()
	n, out := net(t, dir), filepath.Join(dir, "out.onnx")
	type made struct {
		Networks []struct {
			Size struct{ Params, MACs, Bytes int64 }
		}
		Facts struct {
			Steps []struct {
				Activations int64
				Latency     struct{ By string }
			}
		}
		Notes []string
	}
	prune := func(args ...string) (x made, bytes int64) {
		t.Helper()
		o := ok(t, append([]string{"model", "prune", n, "-o", out, "--json", "--no-bench", "--force", "--method"}, args...)...)
		if err := json.Unmarshal([]byte(o), &x); err != nil {
			t.Fatal(err)
		}
		st, err := os.Stat(out)
		if err != nil {
			t.Fatal(err)
		}
		return x, st.Size()
	}
	whole, size := prune("channels", "--macs", "1")
	was := whole.Networks[0].Size
	if !strings.Contains(strings.Join(whole.Notes, ""), "no channel is cut") {
		t.Errorf("all may stay: %q", whole.Notes)
	}
	if size != was.Bytes || whole.Networks[1].Size.Params != was.Params {
		t.Errorf("all may stay, and %+v does of %+v", whole.Networks[1].Size, was)
	}
	macs, _ := prune("channels", "--flops", "0.5")
	again, _ := prune("channels:flops=50%")
	if macs.Networks[1] != again.Networks[1] || macs.Networks[1].Size.MACs > was.MACs/2 {
		t.Errorf("half of %d: %+v and %+v", was.MACs, macs.Networks[1], again.Networks[1])
	}
	if x, _ := prune("channels", "--params", "8k"); x.Networks[1].Size.Params > 8000 || x.Networks[1].Size.MACs <= was.MACs/2 {
		t.Errorf("8,000 parameters, and nothing of multiply-accumulates: %+v", x.Networks[1])
	}
	if _, b := prune("channels", "--bytes", "60kB", "--round", "1"); b > 60000 || b < 54000 {
		t.Errorf("60 kB: %d", b)
	}
	if x, b := prune("channels", "--bytes", "70kB", "--activations", "4kB", "--macs", "0.8"); b > 70000 || x.Networks[1].Size.MACs > was.MACs*8/10 || x.Facts.Steps[0].Activations > 4000 || x.Facts.Steps[0].Activations == 0 {
		t.Errorf("all together: %d bytes, %+v", b, x)
	}
	if x, b := prune("channels", "--latency", "0.6", "--latency-cmd", "wc -c < {}"); b > was.Bytes*6/10 || len(x.Notes) == 0 || !strings.Contains(strings.Join(x.Notes, "\n"), "by --latency-cmd wc -c") || x.Facts.Steps[0].Latency.By != "wc -c < {}" {
		t.Errorf("by a command: %d bytes of %d, %+v", b, was.Bytes, x)
	}
	if _, b := prune("magnitude", "--latency", "300s", "--latency-cmd", "wc -c < {}", "--epochs", "0"); b == 0 {
		t.Error("nothing was written")
	}
	if x, _ := prune("channels", "--macs", "0.5", "--max-drop", "100", "--data", "digits", "--epochs", "0"); x.Networks[1].Size.MACs > was.MACs/2 {
		t.Errorf("a budget with a drop: %+v", x)
	}
	if x, _ := prune("channels", "--macs", "0.5", "--steps", "2", "--data", "digits?n=320", "--epochs", "2", "--batch", "32"); len(x.Facts.Steps) != 2 || !strings.Contains(strings.Join(x.Notes, "\n"), "cut 2 of 2") {
		t.Errorf("in steps: %+v", x)
	}
	if x, _ := prune("channels", "--max-drop", "100", "--steps", "2", "--data", "digits?n=320&val=0.2", "--epochs", "2", "--batch", "32"); len(x.Facts.Steps) != 2 || x.Networks[1].Size.MACs > was.MACs*27/100 {
		t.Errorf("in steps, as long as no more is lost: %+v", x)
	}
}

// What is wrong with budgets is said by their flags.
func TestBudgetsBad(t *testing.T) {
	dir := t.TempDir()
	n, out := net(t, dir), filepath.Join(dir, "out.onnx")
	for _, c := range []struct {
		status int
		want   string
		args   []string
	}{
		{2, `--bytes: "1.2QB" is neither a share nor a number`, []string{"--bytes", "1.2QB"}},
		{2, "--macs 1.5: a share is at most 1", []string{"--macs", "1.5"}},
		{2, "--macs -1: a number of at least 0", []string{"--flops", "-1"}},
		{2, "write 8ms", []string{"--latency", "8"}},
		{2, "no target: give --macs, --params, --bytes, --activations, --latency or --widths", []string{"--macs", "0"}},
		{2, `--widths: pattern "layr*" matches no weight`, []string{"--widths", "layr*=0.5"}},
		{2, `--at-least "layer1": a pattern and`, []string{"--at-least", "layer1"}},
		{2, "has no {}", []string{"--latency", "0.5", "--latency-cmd", "true"}},
		{1, "the latency command \"false {}\" fails: exit status 1", []string{"--latency", "0.5", "--latency-cmd", "false {}"}},
		{1, "prints nothing", []string{"--latency", "0.5", "--latency-cmd", "true {}"}},
		{1, "no cut of channels reaches a latency of 0.5", []string{"--latency", "0.5", "--latency-cmd", "echo 3 # {}"}},
		{1, "kB on disk; asked to keep a part at least: the groups of layer2.0.conv1.weight", []string{"--bytes", "300B"}},
		{1, "linear.weight stays whole (output", []string{"--activations", "10B"}},
		{2, "--steps 3 and --epochs 2", []string{"--steps", "3", "--data", "digits", "--epochs", "2"}},
	} {
		s, _, e := pare(t, append([]string{"model", "prune", n, "-o", out, "--method", "channels", "--no-bench"}, c.args...)...)
		if s != c.status || !strings.Contains(e, c.want) {
			t.Errorf("%v: status %d, %s\nwant %d, %s", c.args, s, e, c.status, c.want)
		}
	}
	if s, _, e := pare(t, "model", "prune", n, "-o", out, "--latency-cmd", "true {}"); s != 2 || !strings.Contains(e, "give both") {
		t.Errorf("status %d, %s", s, e)
	}
}
