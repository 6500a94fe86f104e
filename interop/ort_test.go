package interop

import (
	"fmt"
	"path/filepath"
	"testing"

	"pare/graph"
	"pare/onnx"
	"pare/tensor"
)

// batch is the size for networks that leave it open.
const batch = 3

// ortJob is one file to run in ONNX Runtime.
type ortJob struct {
	Model  string          `json:"model"`
	Inputs map[string]feed `json:"inputs"`
	Out    string          `json:"out"`
	// The file is another tool's, and may hold what the standard lacks.
	Foreign bool `json:"foreign"`
}

type ortAnswer struct {
	Error  string   `json:"error"`
	Names  []string `json:"names"`
	Shapes [][]int  `json:"shapes"`
	Sparse int      `json:"sparse"` // number of sparse initialisers
}

// ortRuns collects files to run together in one process.
type ortRuns struct {
	dir     string
	jobs    []ortJob
	answers []ortAnswer
}

// write saves a network and adds it, and gives the number of its run.
func (r *ortRuns) write(t *testing.T, g *graph.Graph, o onnx.Options, in map[string]*tensor.Tensor) int {
	t.Helper()
	path := filepath.Join(r.dir, fmt.Sprintf("%d.onnx", len(r.jobs)))
	if err := onnx.Write(path, g, o); err != nil {
		t.Fatal(err)
	}
	return r.add(t, path, in)
}

// add adds a file.
func (r *ortRuns) add(t *testing.T, path string, in map[string]*tensor.Tensor) int {
	t.Helper()
	k := len(r.jobs)
	job := ortJob{Model: path, Inputs: map[string]feed{}, Out: filepath.Join(r.dir, fmt.Sprintf("%d.out", k))}
	for name, x := range in {
		job.Inputs[name] = raw(t, filepath.Join(r.dir, fmt.Sprintf("%d.in.%d", k, len(job.Inputs))), x)
	}
	r.jobs = append(r.jobs, job)
	return k
}

// run runs all.
func (r *ortRuns) run(t *testing.T, py string) {
	t.Helper()
	r.answers = ask[ortJob, ortAnswer](t, py, "outputs.py", r.dir, r.jobs)
}

// outputs are those of a run, in the order of the file.
func (r *ortRuns) outputs(t *testing.T, k int) ([][]float32, error) {
	t.Helper()
	a := r.answers[k]
	if a.Error != "" {
		return nil, fmt.Errorf("ONNX Runtime: %s", a.Error)
	}
	var outs [][]float32
	for i := range a.Names {
		outs = append(outs, numbers[float32](t, fmt.Sprintf("%s.%d", r.jobs[k].Out, i)))
	}
	return outs, nil
}

// differ compares all outputs of two runs.
func differ(a, b [][]float32, tol float64) error {
	if len(a) != len(b) || len(a) == 0 {
		return fmt.Errorf("%d against %d outputs", len(a), len(b))
	}
	for i := range a {
		if d := apart(a[i], b[i]); !(d <= tol) {
			return fmt.Errorf("output %d differs by %.2g of the largest, at most %.2g was expected", i, d, tol)
		}
	}
	return nil
}
