package interop

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"pare/tensor"
)

// python is the interpreter to compare with; the test is skipped where there is
// none with the modules.
func python(t *testing.T, modules ...string) string {
	t.Helper()
	py := os.Getenv("PARE_PYTHON")
	if py == "" {
		t.Skip("PARE_PYTHON is not set: it names a Python with numpy, onnx, onnxruntime and torch to compare with")
	}
	for _, m := range modules {
		const find = "import sys, importlib.util as u; sys.exit(0 if u.find_spec(sys.argv[1]) else 3)"
		err := exec.Command(py, "-c", find, m).Run()
		if e, ok := err.(*exec.ExitError); ok && e.ExitCode() == 3 {
			t.Skipf("%s has no module %s", py, m)
		} else if err != nil {
			t.Fatalf("PARE_PYTHON=%s does not run: %v", py, err)
		}
	}
	return py
}

// ask gives jobs to a program of this folder and reads its answers, one for
// each job.
func ask[Job, Answer any](t *testing.T, py, program, dir string, jobs []Job) []Answer {
	t.Helper()
	b, err := json.Marshal(jobs)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "JOBS.json")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(py, program, path).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
	if b, err = os.ReadFile(filepath.Join(dir, "RESULT.json")); err != nil {
		t.Fatal(err)
	}
	var answers []Answer
	if err := json.Unmarshal(b, &answers); err != nil {
		t.Fatal(err)
	}
	if len(answers) != len(jobs) {
		t.Fatalf("%s: %d answers to %d jobs", program, len(answers), len(jobs))
	}
	return answers
}

// feed is an input as the programs read it.
type feed struct {
	Type  string `json:"type"` // numpy's name
	Shape []int  `json:"shape"`
	File  string `json:"file"`
}

// raw writes a tensor's values as little-endian bytes.
func raw(t *testing.T, path string, x *tensor.Tensor) feed {
	t.Helper()
	b, err := binary.Append(nil, binary.LittleEndian, x.Data)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	kind := map[tensor.DType]string{tensor.Float32: "<f4", tensor.Float64: "<f8", tensor.Int32: "<i4", tensor.Int64: "<i8", tensor.Bool: "?",
		tensor.Int8: "i1", tensor.Uint8: "u1"}[x.DType]
	if kind == "" {
		t.Fatalf("input of type %v", x.DType)
	}
	return feed{kind, x.Shape, path}
}

// numbers reads raw values of type T.
func numbers[T float32 | float64](t *testing.T, path string) []T {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var one T
	x := make([]T, len(b)/binary.Size(one))
	if _, err := binary.Decode(b, binary.LittleEndian, x); err != nil {
		t.Fatal(err)
	}
	return x
}

// apart is the largest difference of a from b relative to the largest entry of
// b; infinite where they differ in length or a difference is not a number.
func apart[A, B float32 | float64](a []A, b []B) float64 {
	if len(a) != len(b) {
		return math.Inf(1)
	}
	var worst, scale float64
	for i := range a {
		d := math.Abs(float64(a[i]) - float64(b[i]))
		if math.IsNaN(d) {
			return math.Inf(1)
		}
		worst, scale = math.Max(worst, d), math.Max(scale, math.Abs(float64(b[i])))
	}
	if worst == 0 {
		return 0
	}
	return worst / scale
}
