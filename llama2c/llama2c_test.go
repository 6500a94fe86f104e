package llama2c

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pare/internal/hostile"
	"pare/tensor"
	"pare/weights"
)

// toy is a model whose sizes all differ.
var toy = Config{Dim: 16, Hidden: 12, Layers: 3, Heads: 4, KVHeads: 2, Vocab: 7, Context: 5}

// random gives the tensors of a model by the names of Hugging Face, in Meta's order of rows.
func random(c Config) map[string]*tensor.Tensor {
	r := rand.New(rand.NewPCG(1, 7))
	out := map[string]*tensor.Tensor{}
	add := func(name string, shape ...int) {
		x := tensor.New(tensor.Float32, shape...)
		for i := range x.F32() {
			x.F32()[i] = float32(r.IntN(255)-127) / 8
		}
		out[name] = x
	}
	keys := c.Dim / c.Heads * c.KVHeads
	for i := range c.Layers {
		p := fmt.Sprintf("model.layers.%d.", i)
		add(p+"input_layernorm.weight", c.Dim)
		add(p+"post_attention_layernorm.weight", c.Dim)
		add(p+"self_attn.q_proj.weight", c.Dim, c.Dim)
		add(p+"self_attn.k_proj.weight", keys, c.Dim)
		add(p+"self_attn.v_proj.weight", keys, c.Dim)
		add(p+"self_attn.o_proj.weight", c.Dim, c.Dim)
		add(p+"mlp.gate_proj.weight", c.Hidden, c.Dim)
		add(p+"mlp.down_proj.weight", c.Dim, c.Hidden)
		add(p+"mlp.up_proj.weight", c.Hidden, c.Dim)
	}
	add("model.norm.weight", c.Dim)
	add("model.embed_tokens.weight", c.Vocab, c.Dim)
	if !c.Tied {
		add("lm_head.weight", c.Vocab, c.Dim)
	}
	return out
}

// orders are the names of the tensors in the order of export.py; %d stands for all layers.
var orders = map[int][]string{
	0: {"model.embed_tokens", "model.layers.%d.input_layernorm", "model.layers.%d.self_attn.q_proj", "model.layers.%d.self_attn.k_proj", "model.layers.%d.self_attn.v_proj",
		"model.layers.%d.self_attn.o_proj", "model.layers.%d.post_attention_layernorm", "model.layers.%d.mlp.gate_proj", "model.layers.%d.mlp.down_proj", "model.layers.%d.mlp.up_proj",
		"model.norm", "tables", "lm_head"},
	1: {"model.layers.%d.input_layernorm", "model.layers.%d.post_attention_layernorm", "model.norm", "model.embed_tokens", "model.layers.%d.self_attn.q_proj", "model.layers.%d.self_attn.k_proj",
		"model.layers.%d.self_attn.v_proj", "model.layers.%d.self_attn.o_proj", "model.layers.%d.mlp.gate_proj", "model.layers.%d.mlp.down_proj", "model.layers.%d.mlp.up_proj", "lm_head"},
}

// export writes a model as export.py does.
func export(version, group int, c Config, w map[string]*tensor.Tensor) []byte {
	var b bytes.Buffer
	put := func(v any) {
		if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
			panic(err)
		}
	}
	if version > 0 {
		put([]uint32{magic, uint32(version)})
	}
	vocab := c.Vocab
	if version == 0 && !c.Tied {
		vocab = -vocab
	}
	put([]int32{int32(c.Dim), int32(c.Hidden), int32(c.Layers), int32(c.Heads), int32(c.KVHeads), int32(vocab), int32(c.Context)})
	if version > 0 {
		put(c.Tied)
		if version == 2 {
			put(int32(group))
		}
		b.Write(make([]byte, 256-b.Len()))
	}
	for _, name := range orders[min(version, 1)] {
		n := 1
		if strings.Contains(name, "%d") {
			n = c.Layers
		}
		for i := range n {
			at := name + ".weight"
			if n > 1 {
				at = fmt.Sprintf(at, i)
			}
			switch x := w[at]; {
			case name == "tables":
				put(make([]float32, c.Context*c.Dim/c.Heads))
			case x == nil: // the classifier, where it is the embedding
			case version == 2 && !strings.Contains(name, "norm"):
				q := make([]int8, x.Len())
				for i, v := range x.F32() {
					q[i] = int8(v * 8)
				}
				put(q)
				for range len(q) / group {
					put(float32(0.125))
				}
			default:
				put(x.F32())
			}
		}
	}
	return b.Bytes()
}

// Each version gives the tensors that it was made of, by the names of Hugging Face and in its
// order of rows.
func TestVersions(t *testing.T) {
	for version := range 3 {
		for _, tied := range []bool{true, false} {
			c := toy
			c.Tied = tied
			want := random(c)
			path := filepath.Join(t.TempDir(), "m.bin")
			if err := os.WriteFile(path, export(version, 4, c, want), 0o644); err != nil {
				t.Fatal(err)
			}
			f, err := Open(path)
			if err != nil {
				t.Fatalf("version %d: %v", version, err)
			}
			defer f.Close()
			if f.Config != c || f.Version != version || f.Group != map[int]int{2: 4}[version] || len(f.Names()) != len(want) {
				t.Errorf("version %d: %+v", version, f)
			}
			for _, name := range f.Names() {
				x, err := f.Read(name)
				if err != nil {
					t.Fatal(err)
				}
				y := want[name]
				if strings.Contains(name, "q_proj") {
					y, _ = weights.Halves(y, c.Heads)
				} else if strings.Contains(name, "k_proj") {
					y, _ = weights.Halves(y, c.KVHeads)
				}
				d, shape, ok := f.Info(name)
				if !ok || d != tensor.Float32 || !slices.Equal(shape, y.Shape) || !reflect.DeepEqual(x, y) {
					t.Errorf("version %d, %s: %v, want %v", version, name, x, y)
				}
			}
			if _, err := f.Read("none"); err == nil {
				t.Error("a name that there is not")
			}
		}
	}
}

// Scales belong to their groups.
func TestGroups(t *testing.T) {
	b := []byte{1, 2, 255, 4, 5, 128}
	for _, s := range []float32{0.5, 2, -1} {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(s))
	}
	out := make([]float32, 6)
	dequantize(b, 2, out)
	if want := []float32{0.5, 1, -2, 8, -5, 128}; !slices.Equal(out, want) {
		t.Errorf("%v, want %v", out, want)
	}
}

// A file must be what its numbers say, to the byte.
func TestBadFiles(t *testing.T) {
	good := export(2, 4, toy, random(toy))
	legacy := export(0, 0, toy, random(toy))
	change := func(b []byte, at int, v int32) []byte {
		b = bytes.Clone(b)
		binary.LittleEndian.PutUint32(b[at:], uint32(v))
		return b
	}
	for name, c := range map[string]struct {
		b    []byte
		want string
	}{
		"empty":       {nil, "shorter"},
		"cut header":  {good[:100], "cut short"},
		"version":     {change(good, 4, 3), "version 3"},
		"short":       {good[:len(good)-1], "does not fit"},
		"long":        {append(bytes.Clone(good), 0), "too long"},
		"legacy cut":  {legacy[:len(legacy)-4], "does not fit"},
		"legacy long": {append(bytes.Clone(legacy), 0, 0, 0, 0), "too long"},
		"negative":    {change(good, 12, -1), "not positive"},
		"least":       {change(legacy, 20, math.MinInt32), "does not fit"},
		"odd heads":   {change(good, 20, 3), "in 3 heads"},
		"keys":        {change(good, 24, 3), "3 of keys"},
		"no heads":    {change(good, 20, 0), "not positive"},
		"flag":        {change(good, 36, 2), "flag"},
		"no groups":   {change(good, 37, 0), "groups of 0"},
		"groups":      {change(good, 37, 5), "a group's 5"},
		"huge":        {change(legacy, 4, math.MaxInt32), "does not fit"},
		"layers":      {change(legacy, 8, math.MaxInt32), "does not fit"},
		"text":        {bytes.Repeat([]byte("no model "), 100), "not a model"},
		// Norms of very many small layers fit, the rest does not: no memory is taken for them.
		"small layers": {change(append(bytes.Clone(export(1, 0, Config{2, 1, 1, 1, 1, 1, 1, true}, nil)), make([]byte, 64<<20)...), 16, 4<<20), "does not fit"},
	} {
		err := hostile.Read(t, len(c.b), func() error { _, err := parse(c.b[:min(len(c.b), newHeader)], len(c.b)); return err })
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want something with %q", name, err, c.want)
		}
	}
}

// The header is all that is parsed: with it goes the size that the file has.
func FuzzModel(f *testing.F) {
	for version := range 3 {
		b := export(version, 4, toy, random(toy))
		f.Add(b[:newHeader], uint32(len(b)-newHeader))
	}
	f.Fuzz(func(t *testing.T, b []byte, size uint32) {
		n := len(b) + int(size%(1<<24))
		var m *File
		if hostile.Read(t, n, func() (err error) { m, err = parse(b[:min(len(b), newHeader)], n); return err }) != nil {
			return
		}
		for name, p := range m.at {
			k, ok := tensor.Size(p.shape)
			if end := p.offset + m.bytes(k, p.quantized); !ok || p.offset < 28 || end > n {
				t.Errorf("%s: %+v in %d bytes", name, p, n)
			}
		}
	})
}

func TestTokenizer(t *testing.T) {
	b := binary.LittleEndian.AppendUint32(nil, 3)
	want := &Tokenizer{Longest: 3}
	for i, text := range []string{"a", " bc", ""} {
		p := Piece{text, -float32(i)}
		want.Pieces = append(want.Pieces, p)
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(p.Score))
		b = append(binary.LittleEndian.AppendUint32(b, uint32(len(text))), text...)
	}
	if got, err := DecodeTokenizer(b); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for want, b := range map[string][]byte{
		"shorter":             b[:3],
		"piece 2 is cut":      b[:len(b)-1],
		"where 1 are left":    b[:len(b)-10],
		"a piece of":          {255, 255, 255, 255, 0},
		"the longest has 2":   append([]byte{2, 0, 0, 0}, b[4:]...),
		"piece 0 has 2147483": append(bytes.Clone(b[:8]), 0, 0, 0, 128),
	} {
		err := hostile.Read(t, len(b), func() error { _, err := DecodeTokenizer(b); return err })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want something with %q", err, want)
		}
	}
}

func FuzzTokenizer(f *testing.F) {
	f.Add([]byte("\x03\x00\x00\x00\x00\x00\x80\x3f\x03\x00\x00\x00abc"))
	f.Fuzz(func(t *testing.T, b []byte) {
		hostile.Read(t, len(b), func() error { //nolint:errcheck // that it ends is the test
			x, err := DecodeTokenizer(b)
			if err == nil && len(x.Pieces) > len(b)/8 {
				t.Errorf("%d pieces of %d bytes", len(x.Pieces), len(b))
			}
			return err
		})
	})
}
