package pare_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// outside is a program of another module: it imports what a user would.
const outside = `package main

import (
	"context"
	"fmt"

	"pare"
	"pare/catalog"
	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/measure"
	"pare/model"
	"pare/model/oneshot"
	"pare/onnx"
	"pare/prune"
	"pare/report"
	"pare/tensor"
	"pare/train"
	"pare/zoo"
)

var (
	_ catalog.Card
	_ dataset.Data
	_ engine.Options
	_ graph.Graph
	_ measure.Size
	_ model.Recipe
	_ onnx.Options
	_ prune.Mask
	_ report.Report
	_ train.Config
)

func main() {
	g, err := zoo.New("mlp:64-16-10", zoo.Options{In: []int{1, 8, 8}, Seed: 1})
	if err != nil {
		panic(err)
	}
	net, err := pare.New(g)
	if err != nil {
		panic(err)
	}
	small, err := net.Prune(context.Background(), &oneshot.GlobalMP{Sparsity: .75}, pare.Options{})
	if err != nil {
		panic(err)
	}
	s, err := small.Network.Session(4)
	if err != nil {
		panic(err)
	}
	defer s.Close()
	out := map[string]*tensor.Tensor{}
	if err := s.Run(context.Background(), map[string]*tensor.Tensor{"input": tensor.New(tensor.Float32, 2, 1, 8, 8)}, out); err != nil {
		panic(err)
	}
	fmt.Println(small.Masks.Count(), len(pare.Methods()) > 20, out[s.Outputs()[0].Name].Shape)
}
`

// A module that is not in this repository imports the packages, and runs.
func TestOutside(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds a program")
	}
	root, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	own, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile("go.sum")
	if err != nil {
		t.Fatal(err)
	}
	// what this module requires is required of the other too, as go mod tidy would write it
	_, requires, _ := strings.Cut(string(own), "require")
	mod := "module outside.example/user\n\ngo 1.26\n\nrequire pare v0.0.0\n\nreplace pare => " + root + "\n\nrequire" + requires
	for name, text := range map[string]string{"go.mod": mod, "go.sum": string(sums), "main.go": outside} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "run", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off", "CGO_ENABLED=0")
	b, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	if got := strings.TrimSpace(string(b)); got != "296 true [2 10]" {
		t.Errorf("it printed %q", got)
	}
}
