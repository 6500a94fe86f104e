package main

import (
	"encoding/json"
	"path/filepath"
	"testing"
)

// The dense network beside one that was cut without data is the one in the file, whether
// it was held meanwhile, as where the output replaces it, or is read again.
func TestDenseBesideTheCut(t *testing.T) {
	dir := t.TempDir()
	n := net(t, dir)
	for _, out := range []string{filepath.Join(dir, "half.onnx"), n} {
		s, stdout, stderr := pare(t, "model", "prune", n, "-o", out, "--sparsity", "0.5", "--no-bench", "--force", "--json")
		if s != 0 {
			t.Fatal(stderr)
		}
		var x struct {
			Networks []struct {
				Size struct{ Params, NonZero int64 }
			}
		}
		if err := json.Unmarshal([]byte(stdout), &x); err != nil {
			t.Fatal(err)
		}
		if len(x.Networks) != 2 {
			t.Fatalf("%d networks", len(x.Networks))
		}
		dense, cut := x.Networks[0].Size, x.Networks[1].Size
		if dense.NonZero < dense.Params*9/10 || cut.NonZero > cut.Params*6/10 {
			t.Errorf("%s: dense %+v, cut %+v", out, dense, cut)
		}
	}
}
