package reproduce

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pare/evidence"
	"pare/run"
)

// toy are experiments whose values follow from name and seed; made counts their seeds.
func toy(made map[string]int, stop func()) []*evidence.Experiment {
	var out []*evidence.Experiment
	for _, name := range []string{"one", "two", "three"} {
		out = append(out, &evidence.Experiment{Name: name, About: "A toy.", Seeds: 1, Claims: []evidence.Claim{evidence.Beats("a beats b", "a", "b", 1, "b")},
			Asks: []evidence.Comparison{{Text: "of a", Method: "a", Without: "b"}},
			Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
				if name == "two" && stop != nil {
					stop()
					return ctx.Err()
				}
				made[name]++
				put("a", 1/3.+float64(len(name))/float64(seed))
				put("b", .1)
				return nil
			}})
	}
	return out
}

// try makes trials with the ledger of a folder, until one fails.
func try(t *testing.T, ctx context.Context, dir string, es []*evidence.Experiment, first uint64, change func(*Ledger)) ([]*evidence.Trial, error) {
	t.Helper()
	l, err := OpenLedger(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if change != nil {
		change(l)
	}
	var out []*evidence.Trial
	for _, e := range es {
		x, _, err := l.Try(ctx, e, first, 0, func(int) {})
		if err != nil {
			return out, err
		}
		out = append(out, x)
	}
	return out, nil
}

// text is the page of trials, but for the time that they took.
func text(t *testing.T, ts []*evidence.Trial) string {
	t.Helper()
	var b strings.Builder
	for _, x := range ts {
		x.Seconds = 1
	}
	if err := evidence.Page(evidence.Run{Command: "toy", Trials: ts}, nil).Markdown(&b, "", nil); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// What is stopped goes on from what had ended, and comes to the same as what was not
// stopped; another executable, and other seeds, are made anew.
func TestLedger(t *testing.T) {
	bg := context.Background()
	whole, err := try(t, bg, t.TempDir(), toy(map[string]int{}, nil), 7, nil)
	if err != nil {
		t.Fatal(err)
	}
	dir, made := t.TempDir(), map[string]int{}
	ctx, cancel := context.WithCancel(bg)
	if ts, err := try(t, ctx, dir, toy(made, cancel), 7, nil); !errors.Is(err, context.Canceled) || len(ts) != 1 {
		t.Fatalf("%d trials, %v", len(ts), err)
	}
	rest, err := try(t, bg, dir, toy(made, nil), 7, nil)
	if err != nil || !reflect.DeepEqual(made, map[string]int{"one": 1, "two": 1, "three": 1}) {
		t.Fatalf("%v, %v", made, err)
	}
	if a, b := text(t, whole), text(t, rest); a != b || !strings.Contains(a, "a beats b") {
		t.Errorf("uninterrupted\n%s\nstopped and continued\n%s", a, b)
	}
	if !reflect.DeepEqual(whole, rest) {
		t.Errorf("uninterrupted %+v, stopped and continued %+v", whole[0], rest[0])
	}
	if again, err := try(t, bg, dir, toy(made, nil), 7, nil); err != nil || !reflect.DeepEqual(again[0].Values, whole[0].Values) || made["one"] != 1 {
		t.Errorf("%v, made %v", err, made)
	}
	if _, err := try(t, bg, dir, toy(made, nil), 8, nil); err != nil || made["one"] != 2 {
		t.Errorf("other seeds: %v, made %v", err, made)
	}
	if _, err := try(t, bg, dir, toy(made, nil), 7, func(l *Ledger) { l.program = "0123456789abcdef" }); err != nil || made["one"] != 3 {
		t.Errorf("another executable: %v, made %v", err, made)
	}
	more := toy(made, nil)
	more[0].Seeds = 2
	if _, err := try(t, bg, dir, more, 7, nil); err != nil || made["one"] != 5 {
		t.Errorf("more seeds: %v, made %v", err, made)
	}
	path := filepath.Join(dir, "results.jsonl")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b = []byte(strings.ReplaceAll(string(b), `"instructions":"`, `"instructions":"other-`))
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := try(t, bg, dir, toy(made, nil), 7, nil); err != nil || made["one"] != 6 {
		t.Errorf("other instructions: %v, made %v", err, made)
	}
}

// A folder in use is refused; so is a line that is no trial.
func TestLedgerRefuses(t *testing.T) {
	dir := t.TempDir()
	l, err := OpenLedger(dir)
	if err != nil {
		t.Fatal(err)
	}
	var busy *run.BusyError
	if _, err := OpenLedger(dir); !errors.As(err, &busy) {
		t.Error(err)
	}
	l.Close()
	for _, bad := range []any{line{}, line{Program: "x"}, line{Trial: &evidence.Trial{}}, 3} {
		b, _ := json.Marshal(bad)
		if err := os.WriteFile(filepath.Join(dir, "results.jsonl"), append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenLedger(dir); err == nil || !strings.Contains(err.Error(), "line 1 is not an outcome") {
			t.Errorf("%s: %v", b, err)
		}
	}
}
