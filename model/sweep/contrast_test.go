package sweep

import (
	"math"
	"strings"
	"testing"

	"pare/model/all"
	"pare/train"
)

// Every contrast that there is has two sides that can be run at every sparsity; the two
// that there are not say why.
func TestContrasts(t *testing.T) {
	if len(Contrasts) != 7 {
		t.Errorf("%d contrasts", len(Contrasts))
	}
	for _, c := range Contrasts {
		p, err := FindContrast(c.Name)
		if c.A == "" {
			if err == nil || !strings.Contains(err.Error(), "no method of the catalogue") {
				t.Errorf("%s: %v", c.Name, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		cells, err := p.Cells(all.New, []string{"0.5", "0.9"}, 3)
		if err != nil || len(cells) != 3*5 || c.Expects == "" || c.About == "" {
			t.Errorf("%s: %d cells, %v", c.Name, len(cells), err)
		}
	}
	if _, err := FindContrast("one-shot-iteratve"); err == nil || !strings.Contains(err.Error(), "did you mean one-shot-iterative? there are unstructured-structured,") {
		t.Errorf("%v", err)
	}
	c, _ := FindContrast("unstructured-structured")
	if _, err := c.Cells(all.New, []string{"1"}, 1); err == nil {
		t.Error("a sparsity of 1 was accepted")
	}
}

// Differences 1, 2, 3 have mean 2 and deviation 1: t(2) = 4.303 of the tables, and the
// effect size is 2. Runs that failed do not count, nor those of one side alone.
func TestEffects(t *testing.T) {
	c := &Contrast{A: "a", B: "b:keep={keep}", Better: true}
	var outs []*Outcome
	add := func(label, target string, seed uint64, x float64, failed string) {
		outs = append(outs, &Outcome{Cell: Cell{Label: label, Target: target, Seed: seed}, Score: train.Score{Metric: "psnr", Unit: "dB", Higher: true, Value: x}, Error: failed})
	}
	for seed, d := range []float64{3, 1, 2} {
		add("a", "0.75", uint64(seed+1), 20+d, "")
		add("b:keep=0.25", "", uint64(seed+1), 20, "")
		add("b:keep=0.5", "", uint64(seed+1), 20, "")
	}
	add("a", "0.75", 4, 99, "")
	add("b:keep=0.25", "", 4, 0, "failed")
	add("a", "0.5", 1, 19, "")
	es := c.Effects(outs, []string{"0.75", "0.5", "0.25"})
	e := es[0]
	if e.Seeds != 3 || e.Wins != 3 || math.Abs(e.Mean-2) > 1e-12 || math.Abs(*e.Half-4.303/math.Sqrt(3)) > 1e-3 || math.Abs(*e.Size-2) > 1e-12 || e.A != 22 || e.B != 20 || e.Says != "not told apart by these seeds" {
		t.Errorf("%+v, half %v", e, *e.Half)
	}
	if e := es[1]; e.Seeds != 1 || e.Wins != 0 || e.Mean != -1 || e.Half != nil || e.Says != "one seed cannot tell" {
		t.Errorf("%+v", e)
	}
	if e := es[2]; e.Seeds != 0 || !strings.Contains(e.Says, "failed") {
		t.Errorf("%+v", e)
	}
	for want, d := range map[string][]float64{"as the survey expects": {1, 1.1, .9}, "against what the survey expects": {-1, -1.1, -.9}} {
		e := Effect{Seeds: 3, Diff: d}
		if e.judge(c); e.Says != want {
			t.Errorf("%v: %s", d, e.Says)
		}
	}
	if s := c.Section(es, outs[0].Score); len(s.Table.Rows) != 3 || s.Table.Rows[0][3].Text != "+2 ± 2.48" {
		t.Errorf("%+v", s.Table.Rows)
	}
}
