package main

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pare/catalog"
	"pare/measure"
	"pare/model/all"
	"pare/model/gradual"
)

// flagsIn are the long flags that a help text lists.
func flagsIn(help string) map[string]bool {
	out := map[string]bool{}
	for s := bufio.NewScanner(strings.NewReader(help)); s.Scan(); {
		_, flag, ok := strings.Cut(s.Text(), " --")
		if before, _, _ := strings.Cut(s.Text(), "--"); ok && len(before) == 6 { // the column of long flags
			name, _, _ := strings.Cut(flag, " ")
			out[name] = true
		}
	}
	return out
}

// The help of prune has the general flags, the recipe and the settings of the chosen
// method, and those of no other.
func TestHelpOfMethod(t *testing.T) {
	own := map[string]bool{}
	for _, m := range all.List() {
		for _, s := range catalog.Settings(m) {
			own[s.Name] = true
		}
	}
	for _, s := range catalog.Settings(&goal{}) { // of the command, where the method has none of that name
		own[s.Name] = false
	}
	for _, m := range all.List() {
		name := m.Card().Name
		for _, args := range [][]string{{"--method", name, "--help"}, {"--help", "--method=" + name}} {
			help := flagsIn(ok(t, append([]string{"model", "prune"}, args...)...))
			for _, want := range []string{"data", "epochs", "teacher", "max-drop", "threads"} {
				if !help[want] {
					t.Errorf("%s: no --%s", name, want)
				}
			}
			for _, s := range catalog.Settings(m) {
				if !help[s.Name] {
					t.Errorf("%s: no setting --%s", name, s.Name)
				}
			}
			for flag := range help {
				if _, err := catalog.Find(m, flag); own[flag] && err != nil {
					t.Errorf("%s: --%s is no setting of it", name, flag)
				}
			}
		}
	}
	if o := ok(t, "model", "prune", "--method", "gmp:every=5", "--help"); !strings.Contains(o, "(default 5)") {
		t.Error(o)
	}
	if a, b := ok(t, "model", "prune", "--method=14", "--help"), ok(t, "model", "prune", "--method", "granet", "--help"); a != b {
		t.Error("a number and a name of one method have different help")
	}
}

// A wrong flag or setting is refused before any work, with status 2, in words that
// name the flag, its value and what it may be.
func TestWrongFlags(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"--method grane", `there is no method "grane"; did you mean granet?`},
		{"--method grane --help", `there is no method "grane"; did you mean granet?`},
		{"--method grane --every 3", `there is no method "grane"; did you mean granet?`},
		{"--method gmp:evry=5", `there is no setting "evry"; did you mean every?`},
		{"--method gmp:every=0", "--every 0: a number of at least 1 is needed"},
		{"--method gmp:every=0 --help", "--every 0: a number of at least 1 is needed"},
		{"--method gmp:every=5 --every 6", "--every is given twice"},
		{"--method gmp:sparsity=0.5 --max-drop 1 --data digits", "leave --sparsity out"},
		{"--every 3", "method global-mp has no setting --every: it belongs to granet, fedtiny, supertickets, gmp, pretrain, movement, rigl, set\n"},
		{"--method granet --mt 1", "method granet has no setting --mt: it belongs to global-mp\n"},
		{"--method granet --evry 3", "there is no flag --evry; did you mean --every?"},
		{"--evry 3", "did you mean --every, a setting of granet,"},
		{"--method granet --rank unifrm", `--rank "unifrm": global or uniform is needed; did you mean uniform?`},
		{"--method granet --initial 1", "--initial 1: a number in [0,1) is needed\n"},
		{"--method granet --begin 10q", `--begin: "10q" is no point of a training`},
		{"--sparsity NaN", "--sparsity NaN: a number in [0,1) is needed\n"},
		{"--batch 0", "--batch 0: a number of at least 1, or auto is needed\n"},
		{"--optimizer adm", `--optimizer "adm": sgd, nesterov, adam or adamw is needed; did you mean adam?`},
		{"--latency 1", "--latency 1: a share below 1, or a time such as 8ms, is needed\n"},
		{"--seed x", "--seed x: a whole number of at least 0 is needed\n"},
		{"--seed", "flag needs an argument: --seed"},
		{"--resume=perhaps", "--resume perhaps: there is no run"},
		{"--alpha 0.3", "--alpha is for distillation: give --teacher"},
		{"--method gmp", "give --data and --epochs"},
		{"--crop 2 --data csv:" + csv(t, t.TempDir()) + "?label=last --epochs 1 --batch 1", "--crop and --flip do not apply"},
	} {
		dir := t.TempDir()
		in, out := net(t, dir), filepath.Join(dir, "out.onnx")
		if strings.Contains(c.args, "csv:") {
			in = filepath.Join(dir, "mlp.onnx")
			ok(t, "model", "convert", "mlp:2-3-2", "-o", in)
		}
		s, o, e := pare(t, append([]string{"model", "prune", in, "-o", out}, strings.Fields(c.args)...)...)
		if s != 2 || o != "" || !strings.Contains(e, c.want) || strings.Contains(e, "invalid argument") {
			t.Errorf("%s: status %d, printed %d bytes, said %q, want %q", c.args, s, len(o), e, c.want)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%s: an output was written", c.args)
		}
	}
}

// A list may be given by several flags, as its setting may be repeated in --method.
func TestRepeatedList(t *testing.T) {
	dir := t.TempDir()
	n := net(t, dir)
	var sizes []string
	for _, args := range [][]string{
		{"--include", "layer1*", "--include", "layer2*"},
		{"--include", "layer1*,layer2*"},
		{"--method", "global-mp:include=layer1*:include=layer2*"},
		{"--include", "layer2*"},
	} {
		out := filepath.Join(dir, "out.onnx")
		ok(t, append([]string{"model", "prune", n, "-o", out, "--epochs", "0", "--sparsity", "0.5"}, args...)...)
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, string(b))
	}
	if sizes[0] != sizes[1] || sizes[1] != sizes[2] || sizes[2] == sizes[3] {
		t.Error("the same list, given in other ways, cuts other weights")
	}
}

// What a method has to say calls settings by their flags, in words and in JSON, which
// has the method's facts beside.
func TestNotesNameFlags(t *testing.T) {
	dir := t.TempDir()
	args := []string{"model", "prune", net(t, dir), "-o", filepath.Join(dir, "out.onnx"), "--method", "granet", "--every", "2", "--data", "digits?n=320", "--epochs", "1", "--batch", "32"}
	_, _, e := pare(t, args...)
	if !strings.Contains(e, "let --every be smaller") || !strings.Contains(e, "lower --exchange") {
		t.Error(e)
	}
	var x struct {
		Networks []measure.Network
		Notes    []string
		Facts    gradual.GraNetFacts
	}
	o := ok(t, append(args, "--json")...)
	if err := json.Unmarshal([]byte(o), &x); err != nil || len(x.Networks) != 2 || x.Facts.Rises == 0 || !strings.Contains(strings.Join(x.Notes, " "), "lower --exchange") {
		t.Errorf("%v: %+v", err, x)
	}
}
