package main

import (
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/google/renameio/v2"

	"pare/graph"
	"pare/npy"
	"pare/onnx"
	"pare/tensor"
)

// settings of a call.
type settings struct {
	scale float64 // of the numbers of samples
	seed  uint64
	bytes float64 // of big
	net   string  // of fold
}

// check returns an error that names the setting out of range.
func (s settings) check() error {
	switch {
	case !(s.scale > 0 && s.scale <= 1000):
		return fmt.Errorf("-scale %v is outside 0 to 1000", s.scale)
	case !(s.bytes >= 1e5 && s.bytes <= 1e14):
		return fmt.Errorf("-bytes %v is outside 1e5 to 1e14", s.bytes)
	}
	return nil
}

// task is data and a network for one kind of work.
type task struct {
	name, doc string
	make      func(s settings) (*made, error)
}

var tasks = []task{
	textTask, detectTask, segmentTask, regressTask, multilabelTask, embedTask, superresTask, seriesTask, recommendTask, twoinTask, bigTask, foldTask,
}

// made is what a task makes.
type made struct {
	nets   []network // the one to train, then others
	fields []field
	splits []split
	bind   map[string]string // inputs of the network whose field is called otherwise
	about  string            // what the samples mean, for README.txt
	// write puts a split into files; nil: an .npz file of its fields.
	write func(ctx context.Context, dir string, sp split) error
	files map[string][]byte // more files
}

// network is a graph with the name of its file.
type network struct {
	file string
	*graph.Graph
}

// field describes an array of the samples.
type field struct{ name, doc string }

// split is the samples of one part: arrays whose first axis is the sample's.
type split struct {
	name   string
	arrays []npy.Array
}

// array finds a field.
func (s split) array(name string) *tensor.Tensor {
	for _, a := range s.arrays {
		if a.Name == name {
			return a.Tensor
		}
	}
	panic("there is no field " + name)
}

// size is the number of samples.
func (s split) size() int { return s.arrays[0].Shape[0] }

// parts are the names of the splits.
var parts = [3]string{"train", "valid", "test"}

// count scales a number of samples.
func (s settings) count(n int) int { return max(24, int(math.Round(float64(n)*s.scale))) }

// rand is the source of one sample of a part.
func (s settings) rand(task, part string, i int) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s %s %d", task, part, s.seed)
	return rand.New(rand.NewPCG(h.Sum64(), uint64(i)))
}

// split makes the parts of a task by a function that makes one of them.
func (m *made) split(s settings, train, valid, test int, of func(part string, n int) []npy.Array) {
	for i, n := range []int{train, valid, test} {
		m.splits = append(m.splits, split{parts[i], of(parts[i], s.count(n))})
	}
}

// named renames the inputs and outputs of a network.
func named(g *graph.Graph, inputs, outputs []string) *graph.Graph {
	for i, n := range inputs {
		g.Inputs[i].Name = n
	}
	for i, n := range outputs {
		g.Outputs[i].Name = n
	}
	return g
}

// write makes a task and puts it into a folder.
func (t task) write(ctx context.Context, dir string, s settings, out io.Writer) error {
	m, err := t.make(s)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, n := range m.nets {
		if err := onnx.Save(filepath.Join(dir, n.file), n.Graph, onnx.Options{}); err != nil {
			return err
		}
	}
	put := m.write
	if put == nil {
		put = writeNPZ
	}
	for _, sp := range m.splits {
		if err := put(ctx, dir, sp); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	about := t.about(m)
	files := map[string][]byte{"README.txt": about}
	for name, b := range m.files {
		files[name] = b
	}
	for name, b := range files {
		if err := renameio.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(out, "%s\n%s\n", dir, about)
	return err
}

// about describes a task in words and numbers.
func (t task) about(m *made) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s: %s\n\n%s\n\n", t.name, t.doc, m.about)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, f := range m.fields {
		a := m.splits[0].array(f.name)
		fmt.Fprintf(w, "field %s\t%v\t%v\t%s\n", f.name, a.DType, a.Shape[1:], f.doc)
	}
	for _, s := range m.splits {
		fmt.Fprintf(w, "%s\t%d samples\n", s.name, s.size())
	}
	w.Flush() //nolint:errcheck // to memory
	for _, n := range m.nets {
		fmt.Fprintf(&b, "\n%s, %d weights\n", n.file, weights(n.Graph))
		for _, v := range n.Inputs {
			of := ""
			if f := m.bind[v.Name]; f != "" {
				of = " for field " + f
			}
			fmt.Fprintf(&b, "  input  %s %v %v%s\n", v.Name, v.DType, v.Shape, of)
		}
		for _, v := range n.Outputs {
			fmt.Fprintf(&b, "  output %s %v %v\n", v.Name, v.DType, v.Shape)
		}
	}
	return b.Bytes()
}

func weights(g *graph.Graph) int {
	n := 0
	for _, p := range g.Params() {
		n += p.Const.Len()
	}
	return n
}
