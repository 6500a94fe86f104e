package interop

import (
	"math"
	"path/filepath"
	"testing"
	"time"

	"pare/run"
	"pare/run/export"
)

type eventJob struct {
	Form   string `json:"form"`
	Folder string `json:"folder"`
}

// noted is a run with two curves.
func noted(t *testing.T) *export.Run {
	t.Helper()
	s, err := run.NewStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	a, err := s.Create(&run.Record{Command: "model prune", Args: []string{"model", "prune", "it's: \"x\""}, Settings: map[string]string{"power": "3"}, Values: map[string]float64{"accuracy": .5}}, run.Program{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := a.Metrics()
	if err != nil {
		t.Fatal(err)
	}
	for step := 1; step <= 1500; step++ {
		m.Add(&run.Point{Time: time.UnixMilli(1772625600000 + int64(step)), Training: 1, Step: step, Values: []run.Value{{Name: run.Loss, X: 1 / float64(step)}, {Name: "held-out größe", X: float64(-step)}}})
	}
	if err := a.End(run.Done, nil); err != nil {
		t.Fatal(err)
	}
	e, err := s.Entry(a.Name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := export.Read(e)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TensorBoard and MLflow read every point of what is written for them.
func TestExports(t *testing.T) {
	for form, of := range map[string]struct{ module, second string }{"tensorboard": {"tensorboard", "held-out größe"}, "mlflow": {"mlflow", "held-out_gr__e"}} {
		t.Run(form, func(t *testing.T) {
			py := python(t, of.module)
			r, dir := noted(t), t.TempDir()
			for _, f := range export.Forms {
				if f.Name != form {
					continue
				}
				path, err := f.Write(dir, r)
				if err != nil {
					t.Fatal(err)
				}
				if form == "mlflow" {
					path = dir
				}
				got := ask[eventJob, map[string][][3]float64](t, py, "events.py", t.TempDir(), []eventJob{{form, path}})[0]
				checkCurves(t, got, r, of.second)
				if form == "mlflow" {
					if _, ok := got[filepath.Base(r.Dir)+" FINISHED 3"]; !ok || len(got["result.accuracy"]) != 1 {
						t.Errorf("the run or its parameters are not there: %d names", len(got))
					}
				}
			}
		})
	}
}

// checkCurves compares steps, times and values with the points.
func checkCurves(t *testing.T, got map[string][][3]float64, r *export.Run, second string) {
	t.Helper()
	for i, name := range []string{run.Loss, second} {
		if len(got[name]) != len(r.Points) {
			t.Fatalf("%s has %d points, not %d", name, len(got[name]), len(r.Points))
		}
		for k, p := range r.Points {
			x := got[name][k]
			if int(x[0]) != p.Step || math.Abs(x[1]-float64(p.Time.UnixMilli())/1000) > 1e-3 || math.Abs(x[2]-p.Values[i].X) > 1e-6*math.Abs(p.Values[i].X) {
				t.Fatalf("%s: %v, want %+v", name, x, p)
			}
		}
	}
}
