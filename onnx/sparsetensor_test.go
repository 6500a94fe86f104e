package onnx

import (
	"fmt"
	"strings"
	"testing"
)

// Indices of sparse weights ascend, as ONNX wants: of two values for one entry none
// would be right. So it is for those in the structure of the sparse form.
func TestSparseIndices(t *testing.T) {
	text := func(indices string) string {
		return `ir_version: 8 opset_import { version: 17 } graph { name: "g"
input { name: "x" ` + floatVector + ` } output { name: "y" ` + floatVector + ` }
sparse_initializer { dims: 2 dims: 3 values { name: "w" data_type: 1 dims: 3 float_data: 1 float_data: 2 float_data: 3 } indices { data_type: 7 ` + indices + ` } }
node { op_type: "ReduceSum" input: "w" output: "s" attribute { name: "keepdims" type: INT i: 0 } } node { op_type: "Mul" input: "x" input: "s" output: "y" } }`
	}
	list := func(dims string, v ...int) string {
		for _, k := range v {
			dims += fmt.Sprintf(" int64_data: %d", k)
		}
		return dims
	}
	for indices, want := range map[string]string{
		list("dims: 3", 0, 2, 5):                         "",
		list("dims: 3", 0, 2, 2):                         "twice",
		list("dims: 3", 2, 0, 5):                         "ascend",
		list("dims: 3 dims: 2", 0, 0, 0, 2, 1, 2):        "",
		list("dims: 3 dims: 2", 0, 0, 1, 2, 1, 2):        "twice",
		list("dims: 3 dims: 2", 1, 0, 0, 2, 1, 2):        "ascend",
		list("dims: 3", 0, 2, 6):                         "outside",
		list("dims: 3 dims: 2", 0, 0, 0, 3, 1, 2) + "  ": "outside",
	} {
		b := model(t, text(indices))
		_, err := Decode(b, "")
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", indices, err, want)
		}
		body := append(structure(deflated(b), len(b)), make([]byte, 5*4)...) // five empty streams
		if _, err := DecodeSparse(sealed(body)); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("in the sparse form, %s: %v, want %q", indices, err, want)
		}
	}
}
