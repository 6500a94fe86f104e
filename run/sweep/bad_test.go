package sweep

import (
	"strings"
	"testing"
)

// good is a file of which each wrong one changes something.
const good = `models: net.onnx
data: digits
methods:
  - dense
  - method: gmp
    settings: {every: [1, 5], power: {from: 1, to: 4, steps: 3}}
budgets: {sparsity: [0.5, 0.9]}
recipe:
  epochs: 10
  lr: [0.1]
seeds: 2
search: grid
hours: 2
metric: accuracy
`

// Everything that is wrong is refused, with what it is and where.
func TestWrongFiles(t *testing.T) {
	if s := read(t, good); len(s.Methods) != 2 || len(s.Seeds) != 2 || s.Epochs != 10 || s.Hours != 2 || s.Stop != nil || s.Metric != "accuracy" {
		t.Fatalf("%+v", s)
	}
	for _, c := range []struct{ old, new, want string }{
		{"models:", "modls:", `line 1, column 1: there is no "modls" in a sweep; did you mean models?`},
		{"models: net.onnx\n", "", "line 1, column 1: a sweep has no models"},
		{"data: digits\n", "", "a sweep has no data"},
		{"models: net.onnx", "models: [a, a]", `line 1, column 13: a model is named once, and not "a"`},
		{"models: net.onnx", "models: []", "a sweep has no models"},
		{"models: net.onnx", "models: {a: b}", "line 1, column 10: a model is a word or a number, not a mapping"},
		{"data: digits", "data:", "line 2, column 6: data is a word or a number, not nothing"},
		{"data: digits", `data: ""`, "data is empty"},
		{"seeds: 2", "seeds: 2\nseeds: 3", "line 12, column 1: "},
		{"- dense", "- gpm", `line 4, column 5: there is no method "gpm"`},
		{"- dense", "- gmp:evry=2", "line 4, column 5: method gmp: there is no setting \"evry\"; did you mean every?"},
		{"- dense", "- gmp:every=0", "line 4, column 5: method gmp: every 0"},
		{"- dense", "- gmp:x", "after the method come settings"},
		{"- dense", "- gmp:variant=keep", ""},
		{"- dense", "- gmp\n  - gmp", "line 5, column 5: the method gmp is given twice"},
		{"- dense", "- {method: dense, settings: {every: 2}}", "line 4, column 6: dense is the network trained alike"},
		{"- dense", "- {settings: {every: 2}}", "line 4, column 6: it does not say which method it is"},
		{"- dense", "- {method: set, setings: {every: 2}}", `line 4, column 19: there is no "setings" in a method; did you mean settings?`},
		{"- dense", "- channels", "line 4, column 5: the method channels has none of the budgets of the sweep: its own are settings such as macs"},
		{"- dense", "- {method: set, budgets: {macs: 0.5}}", `line 4, column 29: the budgets of set: there is no setting "macs"`},
		{"- dense", "- {method: set:sparsity=0.5, budgets: {sparsity: 0.5}}", "line 4, column 42: the budget sparsity of set is a setting of it too"},
		{"- dense", "- {method: set:every=5, settings: {every: 6}}", "every is set twice: as set:every=5, and here"},
		{"- dense", "- {method: set, settings: {sparsity: [0.1, 0.2]}}", "sparsity says how much set cuts: several values of it are budgets"},
		{"methods:\n  - dense\n", "methods:\n  - dense\n  - [gmp]\n", "line 5, column 5: a method is a word or a number, not a list"},
		{"every: [1, 5]", "every: [1, five]", "line 6, column 27: every five: a whole number is needed"},
		{"every: [1, 5]", "every: [1, 0]", "line 6, column 27: every 0"},
		{"every: [1, 5]", "every: [5, 5]", "line 6, column 27: every has the value 5 twice"},
		{"every: [1, 5]", "every: []", "line 6, column 16: every has no values"},
		{"every: [1, 5]", "every: [[1]]", "every is a word or a number, not a list"},
		{"every: [1, 5]", "evry: [1, 5]", `line 6, column 16: the settings of gmp: there is no setting "evry"; did you mean every?`},
		{"every: [1, 5]", "variant: {from: 1, to: 2}", "variant is no number, so it has no range"},
		{"every: [1, 5]", "variant: [cut, kep]", `variant "kep": cut or keep is needed; did you mean keep?`},
		{"every: [1, 5]", "every: {from: 0, to: 5, steps: 2}", "line 6, column 24: every 0"},
		{"every: [1, 5]", "every: {from: 1.5, to: 5, steps: 2}", "the range of every has ends that are no whole numbers"},
		{"every: [1, 5]", "every: {from: 5, to: 1, steps: 2}", "the range of every begins at 5, which is not below its end 1"},
		{"every: [1, 5]", "every: {from: 5}", "the range of every has a from and a to"},
		{"every: [1, 5]", "every: {from: 1, to: 5, step: 2}", `line 6, column 40: there is no "step" in a range; did you mean steps?`},
		{"every: [1, 5]", "every: {from: 1, to: 5, steps: 1}", `steps "1": a whole number from 2 to 1000 is needed`},
		{"every: [1, 5]", "every: {from: 1, to: .inf, steps: 2}", "to is a word or a number, not .inf"},
		{"every: [1, 5]", "every: {from: 1, to: 1e999, steps: 2}", `to "1e999": a number is needed`},
		{"steps: 3}", "log: maybe, steps: 3}", `log "maybe": true or false is needed`},
		{"from: 1, to: 4, steps: 3", "from: -1, to: 4, log: true, steps: 3", "with log it begins above 0"},
		{", steps: 3", "", "line 12, column 9: a range has no steps, so that not every number of it can be tried"},
		{"sparsity: [0.5, 0.9]", "sparsity: [0.5, 1]", "line 7, column 27: sparsity 1"},
		{"sparsity: [0.5, 0.9]", "sparsity: {from: 0.1, to: 0.5}", "the range of the budget sparsity has no steps"},
		{"sparsity: [0.5, 0.9]", "sparsity: 0.5, latency: 3", "line 7, column 26: no method that could take it has a budget latency"},
		{"epochs: 10", "epochs: -1", "line 9, column 11: epochs -1"},
		{"epochs: 10", "epochs: 99999999", "epochs 99999999: from 0 to 1048576 are possible"},
		{"  lr: [0.1]", "  rate: [0.1]", `line 10, column 3: the recipe: there is no setting "rate"`},
		{"  lr: [0.1]", "  lr: [0.1, ]\n  lr: 3", "line 11, column 3: "},
		{"recipe:\n  epochs: 10\n  lr: [0.1]", "recipe: fast", `the recipe is a mapping, such as "name: value", not a word or a number`},
		{"seeds: 2", "seeds: 0", `line 11, column 8: seeds "0": a whole number from 1 to 1000 is needed`},
		{"seeds: 2", "seeds: [1, 1]", `line 11, column 12: seed "1"`},
		{"seeds: 2", "seeds: [-1]", `seed "-1": a whole number of at least 0`},
		{"seeds: 2", "seeds: []", "a sweep has no seeds"},
		{"search: grid", "search: gird", `line 12, column 9: search "gird": did you mean grid?`},
		{"search: grid", "search: {draws: 3}", "the search does not say its kind"},
		{"search: grid", "search: {kind: grid, draws: 3}", "line 12, column 22: a grid search has no draws"},
		{"search: grid", "search: {kind: random, eta: 3}", "a random search has no eta"},
		{"search: grid", "search: random", "a random search does not say how many combinations are drawn"},
		{"search: grid", "search: {kind: random, draws: 0}", `draws "0": a whole number from 1`},
		{"search: grid", "search: {kind: random, draws: 20000}", "that is 40000 runs; 20000 are the most"},
		{"search: grid", "search: {kind: random, draws: 2, seed: x}", `seed "x": a whole number of at least 0 is needed`},
		{"search: grid", "search: {kind: halving, eta: 1}", `eta "1": a whole number from 2 to 1000`},
		{"search: grid", "search: {kind: halving, min-epochs: 10}", "halving begins at 10 epochs, and the recipe has 10"},
		{"epochs: 10\n  lr: [0.1]\nseeds: 2\nsearch: grid", "epochs: [5, 10]\nsearch: halving", "give the recipe one number of epochs"},
		{"search: grid", "search: halving\nstop: median", "line 13, column 7: halving stops runs by itself"},
		{"search: grid", "search: grid\nstop: mean", `stop "mean": median or none is needed`},
		{"search: grid", "search: grid\nstop: {after: 3}", "stop does not say its rule"},
		{"search: grid", "search: grid\nstop: {rule: none, after: 3}", "stop none has nothing beside it"},
		{"search: grid", "search: grid\nstop: {rule: median, after: 0}", `after "0"`},
		{"search: grid", "search: grid\namong: metod", `line 13, column 8: among "metod": budget`},
		{"seeds: 2\nsearch: grid", "seeds: 1000", ""},
		{"lr: [0.1]\nseeds: 2", "lr: {from: 1, to: 2, steps: 1000}\nseeds: 20", "runs; 20000 are the most"},
		{"hours: 2", "hours: 0", "line 13, column 8: hours 0: above 0"},
		{"hours: 2", "hours: two", `line 13, column 8: hours "two": a number of at least 0 is needed`},
		{"hours: 2", "hours: .nan", "hours is a word or a number, not .nan"},
		{"metric: accuracy", "metric: acuracy", `line 14, column 9: there is no metric "acuracy"`},
		{"hours: 2", "hours: &h 2", "an anchor"},
		{"hours: 2", "hours: !!int 2", "hours is a word or a number, not a tag"},
		{"hours: 2", "hours: [2", "line 1"},
		{"hours: 2", "hours: 2\n---\nhours: 3", "a second document begins here"},
		{"hours: 2", "hours:\t\x002", "it is no text"},
		{"hours: 2", "hours: " + strings.Repeat("[", 100), "line 13, column 1: it is more than 32 deep"},
		{good, "", "it is empty"},
		{good, "# nothing", "it is empty"},
		{good, "[1, 2]", "a sweep is a mapping"},
		{good, strings.Repeat("#", mostBytes+1), "bytes; 262144 are the most"},
	} {
		text := strings.Replace(good, c.old, c.new, 1)
		if text == good {
			t.Errorf("%q is not there", c.old)
		}
		_, err := Parse([]byte(text), words())
		if c.want == "" {
			if err != nil {
				t.Errorf("%q: %v", c.new, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q:\n got %v\nwant %s", c.new, err, c.want)
		}
	}
}

// No text makes the parser fail in another way than by an error, and what it takes is in
// bounds.
func FuzzParse(f *testing.F) {
	for _, s := range []string{good, halvingText, randomText, "a: &a [*a]", "? a\n: b", "- - - a", "<<: {a: b}", "models: |\n  x\n", "%YAML 1.2\n---\na: 1", "{", "\"", "a: 'b", "!!binary x: y", "recipe: {epochs: {from: 0, to: 9}}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Parse(b, words())
		if err != nil {
			return
		}
		cs := s.Configs()
		if n := len(cs) * len(s.Seeds); n > mostRuns {
			t.Fatalf("%d runs", n)
		}
		seen := map[string]bool{}
		for _, c := range cs {
			if seen[c.key()] {
				t.Fatalf("%s twice", c.key())
			}
			seen[c.key()] = true
		}
	})
}
