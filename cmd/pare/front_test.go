package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A front is written as networks that can be run, with what each takes and is worth, and a
// plot; a method that finds none is refused before any work, and a front is not mixed with
// another.
func TestFront(t *testing.T) {
	dir := t.TempDir()
	n, front := net(t, dir), filepath.Join(dir, "front")
	page := filepath.Join(dir, "page.html")
	prune := func(more ...string) []string {
		return append([]string{"model", "prune", n, "-o", filepath.Join(dir, "out.onnx"), "--data", "digits?n=200&test_n=50", "--epochs", "1", "--batch", "20", "--no-bench", "--front", front,
			"--method", "emo:population=4:generations=1:constrain=1:samples=30"}, more...)
	}
	if s, _, e := pare(t, append(prune(), "--method", "channels")...); s != 2 || !strings.Contains(e, "method channels finds one network") || !strings.Contains(e, "emo") {
		t.Errorf("status %d: %s", s, e)
	}
	if _, err := os.Stat(front); err == nil {
		t.Error("a folder was made for nothing")
	}
	ok(t, prune("--report", page)...)
	var x struct {
		Loss     string
		Networks []struct {
			File         string
			MACs, Params float64
			Loss         float64
			Chosen       bool
		}
	}
	b, err := os.ReadFile(filepath.Join(front, "front.json"))
	if err != nil || json.Unmarshal(b, &x) != nil || len(x.Networks) < 2 || x.Loss != "loss" {
		t.Fatalf("%v: %s", err, b)
	}
	chosen := 0
	for i, m := range x.Networks {
		if m.Chosen {
			chosen++
		}
		if i > 0 && (m.MACs >= x.Networks[i-1].MACs || m.Loss <= x.Networks[i-1].Loss) || m.Params <= 0 {
			t.Errorf("network %d: %+v, before it %+v", i, m, x.Networks[max(0, i-1)])
		}
		var is struct {
			Size struct{ MACs, Params int64 }
		}
		if err := json.Unmarshal([]byte(ok(t, "model", "inspect", filepath.Join(front, m.File), "--json")), &is); err != nil || is.Size.MACs == 0 {
			t.Errorf("%s: %v, %+v", m.File, err, is)
		}
	}
	if chosen != 1 {
		t.Errorf("%d are chosen", chosen)
	}
	for path, want := range map[string]string{filepath.Join(front, "front.svg"): "multiply-accumulates left", page: "The front that was found"} {
		if b, err := os.ReadFile(path); err != nil || !strings.Contains(string(b), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if s, _, e := pare(t, prune()...); s != 2 || !strings.Contains(e, "holds a front already (front-01.onnx)") {
		t.Errorf("status %d: %s", s, e)
	}
	if err := os.Remove(filepath.Join(front, "front-02.onnx")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"front-30.onnx", "front-31.onnx", "front-101.onnx", "front-end.onnx"} { // of a longer front, but for the last
		if err := os.WriteFile(filepath.Join(front, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ok(t, prune("--force")...)
	left, _ := filepath.Glob(filepath.Join(front, "front-*.onnx"))
	if len(left) != len(x.Networks)+1 || filepath.Base(left[len(left)-1]) != "front-end.onnx" {
		t.Errorf("%v are left of a front of %d", left, len(x.Networks))
	}
}
