package onnx

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pare/graph/op"
)

// peers loads files as ONNX's checker and ONNX Runtime do, and says which of them fail.
const peers = `
import sys, onnx
import onnxruntime as ort
for f in sys.argv[1:]:
    try:
        m = onnx.load(f)
        onnx.checker.check_model(m, full_check=True)
        onnx.shape_inference.infer_shapes(m, check_type=True, strict_mode=True)
        if 'bfloat16' not in f: # ONNX Runtime multiplies none
            ort.InferenceSession(f, providers=['CPUExecutionProvider'])
    except Exception as e:
        print(f, type(e).__name__, str(e)[:300].replace('\n', ' '))
`

// What is written of functions and of other types is sound to others: names, types and
// the order of nodes.
func TestPeersLoad(t *testing.T) {
	python := os.Getenv("PARE_PYTHON")
	if python == "" {
		t.Skip("PARE_PYTHON is not set: it names a Python with onnx and onnxruntime")
	}
	dir := t.TempDir()
	args := []string{"-c", peers}
	put := func(name string, b []byte, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(name, err)
		}
		path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+".onnx")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	const body = `node { op_type: "Neg" input: "a" output: "t" } node { op_type: "Exp" input: "t" output: "u" } node { name: "n" op_type: "Neg" input: "u" output: "b" }`
	for i, callers := range [][]string{{"blk0"}, {"blk0", "blk1"}, {"", ""}, {"n", "n"}} {
		g, err := Decode(model(t, withFunction(body, callers...)), "")
		if err != nil {
			t.Fatal(err)
		}
		b, err := Encode(g, Options{})
		put(fmt.Sprint("function", i), b, err)
	}
	all := mixtures(t)
	delete(all, "made bfloat16") // ConstantOfShape makes none in this opset
	for name, g := range all {
		if err := op.InferAll(g); err != nil {
			t.Fatal(err)
		}
		b, err := Encode(g, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if g, err = Decode(b, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := op.Widen(g); err != nil {
			t.Fatal(name, err)
		}
		if _, err := op.Simplify(g); err != nil {
			t.Fatal(name, err)
		}
		b, err = Encode(g, Options{})
		put(name, b, err)
	}
	if out, err := exec.Command(python, args...).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%s (%v)", out, err)
	}
}
