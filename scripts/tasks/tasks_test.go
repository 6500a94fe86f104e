package main

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"image/png"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/npy"
	"pare/onnx"
	"pare/tensor"
	"pare/zoo"
)

// small is few samples of every task.
var small = settings{scale: .001, seed: 3, bytes: 1e5}

// written puts every task into a folder.
func written(t *testing.T, dir string) string {
	t.Helper()
	if err := run(t.Context(), []string{"-o", dir, "-scale", "0.001", "-seed", "3", "-bytes", "1e5"}, io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	return dir
}

// contents are a folder's files by their paths.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		out[strings.TrimPrefix(path, dir)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// The same call writes the same bytes, and what is written is what was made.
func TestFiles(t *testing.T) {
	dir := written(t, t.TempDir())
	a, b := contents(t, dir), contents(t, written(t, t.TempDir()))
	if len(a) != len(b) || len(a) < 4*(len(tasks)-1) {
		t.Fatalf("%d and %d files", len(a), len(b))
	}
	for path, x := range a {
		if b[path] != x {
			t.Errorf("%s differs", path)
		}
	}
	for _, task := range tasks {
		if task.name == "fold" {
			continue
		}
		m, err := task.make(small)
		if err != nil {
			t.Fatal(err)
		}
		for _, sp := range m.splits {
			for _, f := range m.fields {
				want := sp.array(f.name)
				got := read(t, filepath.Join(dir, task.name), sp.name, f.name, task.name)
				if !slices.Equal(got, numbers(want)) {
					t.Errorf("%s: %s of %s is not what was made", task.name, f.name, sp.name)
				}
			}
		}
	}
}

// numbers are a tensor's elements.
func numbers(x *tensor.Tensor) []float64 {
	out := make([]float64, x.Len())
	for i := range out {
		switch x.DType {
		case tensor.Uint8:
			out[i] = float64(tensor.Of[uint8](x)[i])
		case tensor.Int64:
			out[i] = float64(tensor.Of[int64](x)[i])
		default:
			out[i] = float64(x.F32()[i])
		}
	}
	return out
}

// read finds a field in the files of a part.
func read(t *testing.T, dir, part, field, task string) []float64 {
	t.Helper()
	stem := filepath.Join(dir, part)
	switch {
	case task == "text" || task == "recommend":
		type row struct {
			IDs    []int64 `parquet:"ids,list"`
			Mask   []int64 `parquet:"mask,list"`
			Label  int64   `parquet:"label"`
			User   int64   `parquet:"user"`
			Item   int64   `parquet:"item"`
			Rating float32 `parquet:"rating"`
		}
		rows, err := parquet.ReadFile[row](stem + ".parquet")
		if err != nil {
			t.Fatal(err)
		}
		var out []float64
		for _, r := range rows {
			one := map[string][]int64{"ids": r.IDs, "mask": r.Mask, "label": {r.Label}, "user": {r.User}, "item": {r.Item}}
			if field == "rating" {
				out = append(out, float64(r.Rating))
			}
			for _, v := range one[field] {
				out = append(out, float64(v))
			}
		}
		return out
	case task == "regress":
		return readCSV(t, stem+".csv", field)
	case task == "big" && part == "train":
		stem = filepath.Join(stem, "shard-00000")
	}
	b, err := os.ReadFile(stem + ".npz")
	if err != nil {
		t.Fatal(err)
	}
	return numbers(array(t, b, field))
}

func readCSV(t *testing.T, path, field string) []float64 {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(rows[0], slices.Concat(regressFeatures, regressTargets)) {
		t.Errorf("the columns are called %v", rows[0])
	}
	from, to := 0, len(regressFeatures)
	if field == "targets" {
		from, to = to, len(rows[0])
	}
	var out []float64
	for _, r := range rows[1:] {
		for _, c := range r[from:to] {
			v, err := strconv.ParseFloat(c, 32)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, v)
		}
	}
	return out
}

// The pictures of segment are its arrays.
func TestPictures(t *testing.T) {
	m, err := segmentTask.make(small)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	sp := m.splits[1]
	if err := m.write(t.Context(), dir, sp); err != nil {
		t.Fatal(err)
	}
	for i := range sp.size() {
		for _, kind := range []string{"images", "masks"} {
			names, err := os.ReadDir(filepath.Join(dir, "valid", kind))
			if err != nil || len(names) != sp.size() {
				t.Fatalf("%d files: %v", len(names), err)
			}
			f, err := os.Open(filepath.Join(dir, "valid", kind, names[i].Name()))
			if err != nil {
				t.Fatal(err)
			}
			p, err := png.Decode(f)
			f.Close()
			if err != nil {
				t.Fatal(err)
			}
			for y := range segmentSize {
				for x := range segmentSize {
					r, g, b, _ := p.At(x, y).RGBA()
					at := y*segmentSize + x
					if kind == "masks" {
						if want := uint32(bytesOf(sp.array("mask"), i)[at]); r>>8 != want {
							t.Fatalf("mask %d has %d at %d,%d, want %d", i, r>>8, x, y, want)
						}
						continue
					}
					v := bytesOf(sp.array("image"), i)
					const plane = segmentSize * segmentSize
					if r>>8 != uint32(v[at]) || g>>8 != uint32(v[plane+at]) || b>>8 != uint32(v[2*plane+at]) {
						t.Fatalf("image %d differs at %d,%d", i, x, y)
					}
				}
			}
		}
	}
}

// The texts of the JSON lines, cut by what tokenizer.json says, are the tokens
// of the Parquet file, and no piece is unknown.
func TestTokenizer(t *testing.T) {
	dir := t.TempDir()
	if err := textTask.write(t.Context(), dir, small, io.Discard); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	var tok struct {
		Truncation struct {
			Max int `json:"max_length"`
		}
		Model struct{ Vocab map[string]int64 }
	}
	if err := json.Unmarshal(b, &tok); err != nil {
		t.Fatal(err)
	}
	piece := map[int64]string{}
	for p, id := range tok.Model.Vocab {
		piece[id] = p
	}
	lines, err := os.ReadFile(filepath.Join(dir, "test.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	ids := read(t, dir, "test", "ids", "text")
	labels := read(t, dir, "test", "label", "text")
	for i, line := range bytes.Split(bytes.TrimSpace(lines), []byte("\n")) {
		var v review
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatal(err)
		}
		if v.Label != int(labels[i]) {
			t.Errorf("line %d has label %d, the row %v", i, v.Label, labels[i])
		}
		var back strings.Builder
		row := ids[i*tok.Truncation.Max : (i+1)*tok.Truncation.Max]
		for _, id := range row {
			switch p := piece[int64(id)]; {
			case p == "[CLS]" || p == "[SEP]" || p == "[PAD]":
			case strings.HasPrefix(p, "##"):
				back.WriteString(p[2:])
			case p == "." || p == ",":
				back.WriteString(p)
			default:
				back.WriteString(" " + p)
			}
		}
		if got := strings.TrimSpace(back.String()); got != strings.ToLower(v.Text) {
			t.Errorf("%q comes back as %q", v.Text, got)
		}
	}
}

// Every network runs from its file on the data, for several batches; its
// outputs are finite and of the sizes that it says; every weight has a gradient.
func TestNetworks(t *testing.T) {
	dir := t.TempDir()
	for _, task := range tasks {
		if task.name == "fold" {
			continue
		}
		t.Run(task.name, func(t *testing.T) {
			m, err := task.make(small)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, task.name+".onnx")
			if err := onnx.Save(path, m.nets[0].Graph, onnx.Options{}); err != nil {
				t.Fatal(err)
			}
			g, err := onnx.Load(path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := op.Simplify(g); err != nil {
				t.Fatal(err)
			}
			s, err := engine.NewSession(g, engine.SessionOptions{MaxBatch: 4})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for _, n := range []int{4, 1} {
				out := map[string]*tensor.Tensor{}
				if err := s.Run(t.Context(), batch(m, s.Inputs(), n), out); err != nil {
					t.Fatal(err)
				}
				for _, p := range s.Outputs() {
					want, _ := p.Shape.Bind(map[string]int{"N": n}).Ints()
					if y := out[p.Name]; !slices.Equal(y.Shape, want) || y.Finite() >= 0 {
						t.Errorf("%s has shape %v, want %v, or is not finite", p.Name, y.Shape, want)
					}
				}
			}
			gradients(t, m, g)
		})
	}
}

// batch is the first samples of a task as a network's inputs.
func batch(m *made, inputs []engine.Port, n int) map[string]*tensor.Tensor {
	in := map[string]*tensor.Tensor{}
	for _, p := range inputs {
		f := p.Name
		if m.bind[f] != "" {
			f = m.bind[f]
		}
		a := m.splits[0].array(f)
		s, _ := p.Shape.Bind(map[string]int{"N": n}).Ints()
		x := tensor.New(p.DType, s...)
		for i, v := range numbers(a)[:x.Len()] {
			switch {
			case p.DType == tensor.Int64:
				tensor.Of[int64](x)[i] = int64(v)
			case a.DType == tensor.Uint8:
				x.F32()[i] = float32(v / 255)
			default:
				x.F32()[i] = float32(v)
			}
		}
		in[p.Name] = x
	}
	return in
}

// gradients wants one, finite and not zero throughout, for every weight, of the
// sum of the outputs' mean squares, and of the loss where there is one.
func gradients(t *testing.T, m *made, g *graph.Graph) {
	t.Helper()
	const n = 4
	c, of := g.Clone(false)
	b := op.NewBuilder(c, "surrogate")
	if err := op.Bind(c, map[string]int{"N": n}); err != nil {
		t.Fatal(err)
	}
	if err := op.InferAll(c); err != nil {
		t.Fatal(err)
	}
	ports := []engine.Port{}
	for _, v := range c.Inputs {
		ports = append(ports, engine.Port{Name: v.Name, DType: v.DType, Shape: v.Shape})
	}
	var loss *graph.Value
	if len(m.nets) > 1 {
		l, _ := m.nets[1].Clone(false)
		if err := op.Bind(l, map[string]int{"N": n}); err != nil {
			t.Fatal(err)
		}
		args := slices.Clone(c.Outputs)
		for _, v := range l.Inputs[len(args):] {
			x := &graph.Value{Name: v.Name, DType: v.DType, Shape: v.Shape}
			c.Inputs, args = append(c.Inputs, x), append(args, x)
			ports = append(ports, engine.Port{Name: v.Name, DType: v.DType, Shape: v.Shape})
		}
		loss = c.Inline(l, args)[0]
	} else {
		for _, y := range c.Outputs {
			d := b.Op("ReduceMean", b.Op("Mul", y, y))
			if loss == nil {
				loss = d
			} else {
				loss = b.Op("Add", loss, d)
			}
		}
	}
	if err := op.InferAll(c); err != nil {
		t.Fatal(err)
	}
	var params []*graph.Value
	for _, p := range g.Params() {
		params = append(params, of[p])
	}
	if len(params) != len(m.nets[0].Params()) {
		t.Errorf("%d weights are found in the file, %d were made", len(params), len(m.nets[0].Params()))
	}
	grads, err := op.Gradient(c, loss, nil, params)
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range grads {
		if d == nil {
			t.Fatalf("%s has no gradient", params[i].Name)
		}
	}
	p, err := engine.Compile(c, nil, engine.Options{}, append(grads, loss)...)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for name, x := range batch(m, ports, n) {
		copy(p.Input(name).F32(), x.F32())
		copy(tensor.Of[int64](p.Input(name)), tensor.Of[int64](x))
	}
	if err := p.Run(); err != nil {
		t.Fatal(err)
	}
	for i, d := range grads {
		x := p.Value(d)
		if x.Finite() >= 0 {
			t.Errorf("the gradient of %s is not finite", params[i].Name)
		}
		if !slices.ContainsFunc(x.F32(), func(v float32) bool { return v != 0 }) && !idle(params[i].Name) {
			t.Errorf("the gradient of %s is zero", params[i].Name)
		}
	}
}

// idle weights may have a gradient of zero: the bias of keys, which softmax
// takes no notice of.
func idle(name string) bool { return strings.HasSuffix(name, ".k.bias") }

// What is folded is smaller and the same function.
func TestFold(t *testing.T) {
	dir := t.TempDir()
	g, err := zoo.New("resnet8", zoo.Options{Seed: 1, Width: .5})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range g.Consts() { // as if it were trained
		if v.Role == graph.Stat {
			for i := range v.Const.F32() {
				v.Const.F32()[i] = .5 + .1*float32(i%7)
			}
		}
	}
	net := filepath.Join(dir, "a.onnx")
	if err := onnx.Save(net, g, onnx.Options{}); err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), []string{"-o", dir, "-net", net, "fold"}, io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	h, err := onnx.Load(filepath.Join(dir, "fold", "net.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	if norms(h) != 0 || norms(g) != 7 {
		t.Errorf("%d of %d normalisations are left", norms(h), norms(g))
	}
	x := tensor.New(tensor.Float32, 2, 3, 32, 32)
	for i := range x.F32() {
		x.F32()[i] = float32(math.Sin(float64(i)))
	}
	a, err := op.Run(g, map[string]*tensor.Tensor{"input": x})
	if err != nil {
		t.Fatal(err)
	}
	b, err := op.Run(h, map[string]*tensor.Tensor{"input": x})
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range a["logits"].F32() {
		if w := b["logits"].F32()[i]; math.Abs(float64(v-w)) > 1e-4*(1+math.Abs(float64(v))) {
			t.Errorf("logit %d is %v, before %v", i, w, v)
		}
	}
	if err := run(t.Context(), []string{"-o", dir, "-net", filepath.Join(dir, "fold", "net.onnx"), "fold"}, io.Discard, io.Discard); err == nil {
		t.Error("a network without normalisation was folded")
	}
}

// Wrong use is refused.
func TestUse(t *testing.T) {
	dir := t.TempDir()
	for _, args := range [][]string{{}, {"-o", dir, "nosuch"}, {"-o", dir, "-scale", "0"}, {"-o", dir, "-scale", "NaN"}, {"-o", dir, "-bytes", "1"}, {"-o", dir, "fold"}, {"-nosuch"}} {
		if err := run(t.Context(), args, io.Discard, io.Discard); err == nil {
			t.Errorf("%v was taken", args)
		}
	}
}

// The shards of big hold what -bytes says, numbered on.
func TestBig(t *testing.T) {
	dir := t.TempDir()
	if err := run(t.Context(), []string{"-o", dir, "-bytes", "1.4e7", "big"}, io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, name := range []string{"shard-00000.npz", "shard-00001.npz"} {
		b, err := os.ReadFile(filepath.Join(dir, "big", "train", name))
		if err != nil {
			t.Fatal(err)
		}
		total += len(b)
		if x := array(t, b, "image"); x.Shape[0] > bigShard {
			t.Errorf("%s has %d samples", name, x.Shape[0])
		}
	}
	if float64(total) < 1.4e7 || float64(total) > 1.41e7 {
		t.Errorf("%d bytes", total)
	}
}

// array finds one in the bytes of an .npz file.
func array(t *testing.T, b []byte, name string) *tensor.Tensor {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := z.Open(name + ".npy")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	x, err := npy.Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	return x
}
