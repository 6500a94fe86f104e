package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"pare/graph"
	"pare/graph/op"
	"pare/npy"
	"pare/onnx"
	"pare/tensor"
)

// bench is a folder of networks and data that do not go together.
type bench struct {
	*testing.T
	dir string
}

func (b *bench) at(name string) string { return filepath.Join(b.dir, name) }

func (b *bench) write(name string, data []byte) {
	b.Helper()
	if err := os.MkdirAll(filepath.Dir(b.at(name)), 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(b.at(name), data, 0o644); err != nil {
		b.Fatal(err)
	}
}

// ramp is numbers from 0 to 1, the same each time.
func ramp(shape ...int) *tensor.Tensor {
	x := tensor.New(tensor.Float32, shape...)
	for i := range x.F32() {
		x.F32()[i] = float32(i*7919%101) / 101
	}
	return x
}

func dims(shape ...any) (out graph.Shape) {
	for _, d := range shape {
		if n, ok := d.(int); ok {
			out = append(out, graph.N(n))
		} else {
			out = append(out, graph.Sym(d.(string)))
		}
	}
	return out
}

// network writes a network of some inputs, whose outputs have names.
func (b *bench) network(name string, ins map[string]graph.Shape, order []string, outs func(o *op.Builder, in map[string]*graph.Value) map[string]*graph.Value) {
	b.Helper()
	g := graph.New(name, 17)
	in := map[string]*graph.Value{}
	for _, n := range order {
		in[n] = &graph.Value{Name: n, DType: tensor.Float32, Shape: ins[n]}
		if strings.HasSuffix(n, "ids") {
			in[n].DType = tensor.Int64
		}
		g.Inputs = append(g.Inputs, in[n])
	}
	o := op.NewBuilder(g, "n")
	for _, n := range []string{"logits", "boxes", "out", "y", "loss", "other"} {
		if v := outs(o, in)[n]; v != nil {
			g.Outputs = append(g.Outputs, v)
			v.Name = n
		}
	}
	if o.Err() != nil {
		b.Fatal(name, o.Err())
	}
	g.Prune()
	if err := onnx.Write(b.at(name), g, onnx.Options{}); err != nil {
		b.Fatal(name, err)
	}
}

// arrays writes arrays of NumPy.
func (b *bench) arrays(name string, as ...npy.Array) {
	b.Helper()
	data, err := npy.EncodeAll(as)
	if err != nil {
		b.Fatal(err)
	}
	b.write(name, data)
}

func (b *bench) picture(name string, w, h int, gray bool) {
	b.Helper()
	m := image.NewGray(image.Rect(0, 0, w, h))
	var im image.Image = m
	if !gray {
		c := image.NewRGBA(m.Rect)
		for i := range c.Pix {
			c.Pix[i] = uint8(i*31) | 1
		}
		c.Set(0, 0, color.RGBA{200, 3, 9, 255})
		im = c
	}
	for i := range m.Pix {
		m.Pix[i] = uint8(i % 3)
	}
	var out bytes.Buffer
	if err := png.Encode(&out, im); err != nil {
		b.Fatal(err)
	}
	b.write(name, out.Bytes())
}

// newBench makes the networks, the losses and the data.
func newBench(t *testing.T) *bench {
	b := &bench{t, t.TempDir()}
	affine := func(o *op.Builder, x *graph.Value, in, out int) *graph.Value {
		return o.Op("MatMul", x, o.Const(ramp(in, out)))
	}
	b.network("two.onnx", map[string]graph.Shape{"a": dims("N", 6), "b": dims("N", 6)}, []string{"a", "b"}, func(o *op.Builder, in map[string]*graph.Value) map[string]*graph.Value {
		x := o.Op("Relu", o.Op("Add", affine(o, in["a"], 6, 8), affine(o, in["b"], 6, 8)))
		return map[string]*graph.Value{"logits": affine(o, x, 8, 3), "boxes": affine(o, x, 8, 4)}
	})
	b.network("reg.onnx", map[string]graph.Shape{"x": dims("N", 4)}, []string{"x"}, func(o *op.Builder, in map[string]*graph.Value) map[string]*graph.Value {
		return map[string]*graph.Value{"y": affine(o, o.Op("Relu", affine(o, in["x"], 4, 8)), 8, 2)}
	})
	b.network("seg.onnx", map[string]graph.Shape{"image": dims("N", 3, 6, 6)}, []string{"image"}, func(o *op.Builder, in map[string]*graph.Value) map[string]*graph.Value {
		return map[string]*graph.Value{"out": o.Op("Conv", in["image"], o.Const(ramp(3, 3, 1, 1)))}
	})
	b.network("text.onnx", map[string]graph.Shape{"input_ids": dims("N", 4)}, []string{"input_ids"}, func(o *op.Builder, in map[string]*graph.Value) map[string]*graph.Value {
		x := o.Op("Gather", o.Const(ramp(5, 6)), in["input_ids"])
		return map[string]*graph.Value{"logits": affine(o, o.Sum(x, false, 1), 6, 2)}
	})
	loss := func(name string, y, target string, end func(o *op.Builder, d *graph.Value) map[string]*graph.Value) {
		b.network(name, map[string]graph.Shape{y: dims("N", 2), target: dims("N", 2)}, []string{y, target}, func(o *op.Builder, in map[string]*graph.Value) map[string]*graph.Value {
			d := o.Op("Sub", in[y], in[target])
			return end(o, o.Op("Mul", d, d))
		})
	}
	whole := func(o *op.Builder, d *graph.Value) *graph.Value { return o.Sum(d, false, 0, 1) }
	loss("fine.loss.onnx", "y", "target", func(o *op.Builder, d *graph.Value) map[string]*graph.Value {
		return map[string]*graph.Value{"loss": whole(o, d)}
	})
	loss("names.loss.onnx", "prediction", "target", func(o *op.Builder, d *graph.Value) map[string]*graph.Value {
		return map[string]*graph.Value{"loss": whole(o, d)}
	})
	loss("rows.loss.onnx", "y", "target", func(o *op.Builder, d *graph.Value) map[string]*graph.Value {
		return map[string]*graph.Value{"loss": o.Sum(d, false, 1)}
	})
	loss("pair.loss.onnx", "y", "target", func(o *op.Builder, d *graph.Value) map[string]*graph.Value {
		return map[string]*graph.Value{"y": whole(o, d), "other": whole(o, o.Op("Relu", d))}
	})
	loss("steps.loss.onnx", "y", "target", func(o *op.Builder, d *graph.Value) map[string]*graph.Value {
		return map[string]*graph.Value{"loss": whole(o, o.Op("Floor", d))}
	})
	b.write("junk.loss.onnx", []byte("no network"))

	const n = 24
	class := tensor.New(tensor.Int64, n)
	ids := tensor.New(tensor.Int64, n, 4)
	mask := tensor.New(tensor.Int64, n, 3, 3)
	for i := range n {
		tensor.Of[int64](class)[i] = int64(i % 3)
	}
	for i := range tensor.Of[int64](ids) {
		tensor.Of[int64](ids)[i] = int64(i % 9)
	}
	for i := range tensor.Of[int64](mask) {
		tensor.Of[int64](mask)[i] = int64(i % 3)
	}
	label := npy.Array{Name: "label", Tensor: class}
	of := func(name string, shape ...int) npy.Array {
		return npy.Array{Name: name, Tensor: ramp(append([]int{n}, shape...)...)}
	}
	hole := of("target", 2)
	hole.F32()[15] = float32(nan)
	b.arrays("two.npz", of("a", 6), of("b", 6), label, of("box", 4))
	b.arrays("others.npz", of("p", 6), of("q", 6), label)
	b.arrays("one.npz", of("a", 6), label)
	b.arrays("shape.npz", of("a", 5), of("b", 6), label)
	b.arrays("bare.npz", of("a", 6), of("b", 6))
	b.arrays("reg.npz", of("x", 4), of("target", 2))
	b.arrays("bare-reg.npz", of("x", 4))
	b.arrays("nan.npz", of("x", 4), hole)
	b.arrays("seg.npz", of("image", 3, 6, 6), npy.Array{Name: "mask", Tensor: mask})
	b.arrays("text.npz", npy.Array{Name: "input_ids", Tensor: ids}, label)

	for i := range 4 {
		p := fmt.Sprintf("%d.png", i)
		b.picture("mixed/c"+p[:1]+"/a.png", 6+i, 6, false)
		b.picture("spoilt/c"+p[:1]+"/a.png", 6, 6, false)
		b.picture("pairs/images/"+p, 6, 6, false)
		b.picture("pairs/masks/"+p, 6-i, 6, true)
	}
	b.write("spoilt/c2/a.png", []byte("no picture"))

	var csv, lines strings.Builder
	csv.WriteString("a,b,c,d,u,v\n")
	for i := range n {
		fmt.Fprintf(&csv, "%d.5,2,3,4,%d.25,%d.75\n", i, i%5, i)
		fmt.Fprintf(&lines, `{"x":[1,2,3,%d],"target":[%d.5,%d]}`+"\n", i, i, i)
	}
	b.write("reg.csv", []byte(csv.String()))
	b.write("word.csv", []byte(strings.Replace(csv.String(), ",7.75", ",none of it", 1)))
	b.write("empty.csv", []byte(strings.Replace(csv.String(), ",7.75", ",", 1)))
	b.write("reg.jsonl", []byte(lines.String()))
	b.write("null.jsonl", []byte(strings.Replace(lines.String(), "7.5,7]", "7.5,null]", 1)))
	b.write("nan.jsonl", []byte(strings.Replace(lines.String(), "7.5,7]", "7.5,NaN]", 1)))
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write([]byte(lines.String())) //nolint:errcheck // to memory
	z.Close()
	b.write("reg.jsonl.gz", packed.Bytes())
	type row struct {
		X      []float32 `parquet:"x,list"`
		Target []float32 `parquet:"target,list"`
	}
	var rows []row
	for i := range n {
		rows = append(rows, row{[]float32{1, 2, 3, float32(i)}, []float32{float32(i) / 3, float32(i % 5)}})
	}
	var table bytes.Buffer
	if err := parquet.Write(&table, rows); err != nil {
		t.Fatal(err)
	}
	b.write("reg.parquet", table.Bytes())
	b.write("tok.json", []byte(`{"version":"1.0","added_tokens":[],"pre_tokenizer":{"type":"Whitespace"},"model":{"type":"WordLevel","unk_token":"u","vocab":{"u":0,"a":1,"b":2,"c":3,"d":4,"e":5,"f":6}}}`))
	b.write("text.jsonl", []byte(strings.Repeat(`{"text":"a b c","label":0}`+"\n"+`{"text":"d a","label":1}`+"\n", 8)))
	b.write("unknown.jsonl", []byte(strings.Repeat(`{"text":"a b c","label":0}`+"\n"+`{"text":"a f","label":1}`+"\n", 8)))
	return b
}

var nan = func() float64 { z := 0.0; return z / z }()

// try prunes, trains or judges a network, and checks that it is refused with a sentence
// before anything is done.
func (b *bench) try(want string, command, network, data string, more ...string) {
	b.Helper()
	out := b.at("made.onnx")
	kind, path, _ := strings.Cut(data, ":")
	args := []string{"model", command, b.at(network), "--data", kind + ":" + b.at(path)}
	switch command {
	case "prune":
		args = append(args, "-o", out, "--sparsity", "0.5", "--epochs", "1", "--batch", "4", "--lr", "0.01", "--no-bench")
	case "train":
		args = append(args, "-o", out, "--epochs", "1", "--batch", "4", "--lr", "0.01", "--no-bench")
	}
	for _, m := range more {
		args = append(args, strings.ReplaceAll(m, "DIR/", b.dir+"/"))
	}
	s, _, e := pare(b.T, args...)
	what := strings.Join(append([]string{command, network, data}, more...), " ")
	switch {
	case want == "" && s != 0:
		b.Errorf("%s: status %d\n%s", what, s, e)
	case want != "" && (s != 1 && s != 2 || !strings.Contains(e, want)):
		b.Errorf("%s: status %d\n%s\nwant something with %q", what, s, e, want)
	case strings.Contains(e, "internal error"):
		b.Errorf("%s: a panic\n%s", what, e)
	case want != "" && (strings.Contains(e, "weights stay") || strings.Contains(e, "epoch 1")):
		b.Errorf("%s: refused after work had begun\n%s", what, e)
	}
	if want == "" {
		os.Remove(out) //nolint:errcheck // of what was not refused
	}
	if left, _ := filepath.Glob(b.at("*made*")); len(left) > 0 {
		b.Fatalf("%s: left %v", what, left)
	}
}

// What does not go together is refused before work, with the names that would.
func TestBadInput(t *testing.T) {
	b := newBench(t)
	both := []string{"--loss", "cross-entropy(logits,label)"}
	for _, command := range []string{"prune", "train", "eval"} {
		// fields and inputs
		b.try(`input "a" [N 6] may take the fields "p" [batch 6], "q" [batch 6]: say which by bind=a=FIELD`, command, "two.onnx", "npz:others.npz", both...)
		b.try(`no field of the training set fits the network's input "b" [N 6]`, command, "two.onnx", "npz:one.npz", both...)
		b.try(`field "a" of the training set has [5]: what would fit is "b" [batch 6] (bind=a=FIELD)`, command, "two.onnx", "npz:shape.npz", both...)
		b.try(`there is no field "r" (did you mean p?): the fields are p [6], q [6]`, command, "two.onnx", "npz:others.npz?bind=a=r,b=q", both...)
		b.try(`the network has no input "c", but "a" [N 6], "b" [N 6]`, command, "two.onnx", "npz:others.npz?bind=c=p", both...)
		// targets
		b.try(`the samples have no field "label": the fields are "a" [batch 6], "b" [batch 6]`, command, "two.onnx", "npz:bare.npz", both...)
		b.try(`has no output "scores": the outputs are "logits"`, command, "two.onnx", "npz:two.npz", "--loss", "cross-entropy(scores,label)")
		b.try(`"box" [batch 4]; those that do are "label"`, command, "two.onnx", "npz:two.npz", "--loss", "cross-entropy(logits,box)")
		b.try(`what would fit is mse(boxes,box)`, command, "two.onnx", "npz:two.npz", "--loss", "mse(boxes,a)")
		b.try(`compares with a target, and the samples have none`, command, "reg.onnx", "npz:bare-reg.npz", "--loss", "mse")
		// losses that are files
		b.try(`its input "prediction" is no output of the network, which are "y" [2 2], and no field of the samples, which are "x" [batch 4], "target" [batch 2]: onnx:`, command, "reg.onnx", "npz:reg.npz", "--loss", "onnx:DIR/names.loss.onnx")
		b.try(`its input "prediction" is to take "z", which is no output`, command, "reg.onnx", "npz:reg.npz", "--loss", "onnx:DIR/names.loss.onnx(prediction=z)")
		b.try(`it has no input "guess", but "prediction" [N 2], "target" [N 2]`, command, "reg.onnx", "npz:reg.npz", "--loss", "onnx:DIR/names.loss.onnx(guess=y)")
		b.try(`its input "target" is no output`, command, "reg.onnx", "npz:bare-reg.npz", "--loss", "onnx:DIR/fine.loss.onnx")
		b.try(`a loss is one number, of shape [] or [1]; end it in a mean or a sum`, command, "reg.onnx", "npz:reg.npz", "--loss", "onnx:DIR/rows.loss.onnx")
		b.try(`none is called loss: name the one that is to be made small so`, command, "reg.onnx", "npz:reg.npz", "--loss", "onnx:DIR/pair.loss.onnx")
		b.try(`not an ONNX file`, command, "reg.onnx", "npz:reg.npz", "--loss", "onnx:DIR/junk.loss.onnx")
		// masks, pictures
		b.try(`which has 3x3 places where "out" has 6x6: they must be of one size`, command, "seg.onnx", "npz:seg.npz")
		b.try(`the mask has 5x6 pixels, its picture 6x6: they must be of one size`, command, "seg.onnx", "pairs:pairs")
		b.try(`all must be of one size; resize=N&crop=N`, command, "seg.onnx", "folder:mixed")
		b.try(`1 of 4 images cannot be read, the first `, command, "seg.onnx", "folder:spoilt")
		// tokens
		b.try(`has the number 5, and the network looks it up from input "input_ids" in a table of 5 rows`, command, "text.onnx", "npz:text.npz")
		b.try(`has the number 6, and the network looks it up`, command, "text.onnx", "jsonl:unknown.jsonl?length=4&tokenizer="+b.at("tok.json"))
		b.try(`(length=4 makes texts as long)`, command, "text.onnx", "jsonl:text.jsonl?tokenizer="+b.at("tok.json"))
		// values
		b.try(`field "target" of sample 7 of the training set has a NaN or infinity: fill it`, command, "reg.onnx", "npz:nan.npz")
		b.try(`record 7, where a list has a null: fill it`, command, "reg.onnx", "jsonl:null.jsonl")
		b.try(`NaN and Infinity are no numbers in JSON: fill them`, command, "reg.onnx", "jsonl:nan.jsonl")
		b.try(`column "v" holds numbers, but row 7 has "none of it"`, command, "reg.onnx", "csv:word.csv?target=u,v")
		b.try(`"" is not a number: a value is missing; fill it`, command, "reg.onnx", "csv:empty.csv?target=u,v")
		// metrics
		b.try(`target number 1 of the samples is the same in all 24: nothing varies that could be explained; metrics that fit`, command, "reg.onnx", "csv:reg.csv?target=u,c")
		b.try(`the label: 0.`, command, "reg.onnx", "npz:reg.npz", "--metric", "accuracy")
		b.try(`metrics that fit this network and these samples: mae, mse, rmse`, command, "reg.onnx", "npz:reg.npz", "--metric", "ap(boxes,scores,box,label)")
		b.try(`metric r2 takes a target (target), and "goal" is none: the fields are "x" [batch 4], "target" [batch 2]; name it, as in r2(output,target)`, command, "reg.onnx", "npz:reg.npz", "--metric", "r2(y,goal)")
		b.try(`metric accuracy takes a target (label), which no field is known to be`, command, "reg.onnx", "npz:bare-reg.npz", "--metric", "accuracy", "--loss", "none")
	}
	b.try(`there is nothing to learn from: every field of the samples is an input`, "prune", "two.onnx", "npz:bare.npz", "--recover", "train")
	b.try(`nothing that the samples have is compared with an output`, "prune", "two.onnx", "npz:two.npz", "--recover", "train", "--loss", "none")
	b.try(`there is nothing to learn from`, "train", "two.onnx", "npz:bare.npz")
	b.try(`give --reference`, "eval", "two.onnx", "npz:bare.npz")
	for _, command := range []string{"prune", "train"} {
		b.try(`has no gradient by what it takes of the network, "y" [4 2]`, command, "reg.onnx", "npz:reg.npz", "--loss", "onnx:DIR/steps.loss.onnx")
	}
	// what goes together is not refused
	b.try("", "eval", "reg.onnx", "npz:reg.npz", "--loss", "onnx:DIR/names.loss.onnx(prediction=y)")
	b.try("", "prune", "reg.onnx", "npz:reg.npz", "--loss", "onnx:DIR/fine.loss.onnx")
	b.try("", "prune", "text.onnx", "jsonl:text.jsonl?length=4&tokenizer="+b.at("tok.json"))
}

// A comparison that is refused leaves no folder behind.
func TestBadComparison(t *testing.T) {
	b := newBench(t)
	s, _, e := pare(t, "model", "compare", b.at("two.onnx"), "-o", b.at("made"), "--data", "npz:"+b.at("bare.npz"), "--methods", "global-mp", "--sparsity", "0.5", "--loss", "cross-entropy(logits,label)")
	if _, err := os.Stat(b.at("made")); s == 0 || err == nil || !strings.Contains(e, `no field "label"`) {
		t.Errorf("status %d, the folder is there: %v\n%s", s, err == nil, e)
	}
}

// Files that end early are refused, wherever they end; lines that are whole are none.
func TestCutShort(t *testing.T) {
	b := newBench(t)
	for _, file := range []string{"npz:reg.npz", "parquet:reg.parquet", "jsonl:reg.jsonl", "jsonl:reg.jsonl.gz", "csv:reg.csv?target=u,v"} {
		kind, path, _ := strings.Cut(file, ":")
		path, query, _ := strings.Cut(path, "?")
		whole, err := os.ReadFile(b.at(path))
		if err != nil {
			t.Fatal(err)
		}
		b.try("", "eval", "reg.onnx", file)
		for k := 1; k < 16; k++ {
			end := len(whole) * k / 16
			part := whole[:end]
			if kind == "csv" { // within a line, before its last value
				part = whole[:bytes.LastIndexByte(part, '\n')+3]
			} else if bytes.HasSuffix(part, []byte("}")) || bytes.HasSuffix(part, []byte("\n")) {
				part = whole[:end-2]
			}
			b.write("cut/"+path, part)
			b.try("cut/"+path, "eval", "reg.onnx", strings.TrimSuffix(kind+":cut/"+path+"?"+query, "?"))
		}
	}
}
