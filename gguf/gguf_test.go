package gguf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pare/internal/hostile"
	"pare/tensor"
)

// everyMeta has a value of every type.
func everyMeta() Meta {
	return Meta{
		{"general.architecture", "llama"},
		{"u8", uint8(200)}, {"i8", int8(-100)}, {"u16", uint16(60000)}, {"i16", int16(-30000)}, {"u32", uint32(4e9)}, {"i32", int32(-2e9)},
		{"u64", uint64(math.MaxUint64)}, {"i64", int64(math.MinInt64)}, {"f32", float32(1.5)}, {"f64", math.Pi}, {"yes", true}, {"no", false}, {"text", "a\x00\xff\n"},
		{"u8s", []uint8{1, 255}}, {"i8s", []int8{-1, 1}}, {"u16s", []uint16{1, 65535}}, {"i16s", []int16{-1}}, {"u32s", []uint32{1, 2, 3}}, {"i32s", []int32{-1}},
		{"u64s", []uint64{1}}, {"i64s", []int64{}}, {"f32s", []float32{1, -2}}, {"f64s", []float64{0.1}}, {"bools", []bool{true, false}}, {"texts", []string{"", "b", "c"}},
		{"nested", []any{[]int32{1, 2}, []string{"x"}, []any{}}},
	}
}

func counting(shape ...int) *tensor.Tensor {
	x := tensor.New(tensor.Float32, shape...)
	for i := range x.F32() {
		x.F32()[i] = float32(i%31)/4 - 3
	}
	return x
}

func source(name string, kind Type, x *tensor.Tensor) Source {
	return Source{name, kind, x.Shape, func() (*tensor.Tensor, error) { return x, nil }}
}

func everyTensor() []Source {
	return []Source{
		source("f32", F32, counting(3, 5)), source("f16", F16, counting(2, 3, 7)), source("bf16", BF16, counting(33)),
		source("q8", Q8_0, counting(3, 64)), source("q4", Q4_0, counting(2, 2, 2, 32)), source("scalar", F32, counting()), source("none", Q8_0, counting(0, 32)),
		source("i32", I32, tensor.Vector[int32](1, -2)), source("i64", I64, tensor.Vector[int64](1)), source("i8", I8, tensor.Vector[int8](-1)),
		source("i16", I16, tensor.Vector[int16](-1)), source("f64", F64, tensor.Vector(math.Pi)),
	}
}

func write(t testing.TB, path string, meta Meta, s ...Source) {
	t.Helper()
	if err := Write(path, meta, s); err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, path string) *File {
	t.Helper()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// What is written reads back, whatever the alignment; version 2 differs in nothing else.
func TestRoundTrip(t *testing.T) {
	for _, align := range []uint32{0, 1, 8, 32, 4096} {
		for _, v := range []byte{2, 3} {
			path := filepath.Join(t.TempDir(), "m.gguf")
			meta := everyMeta()
			if align > 0 {
				meta = append(meta, Field{alignmentKey, align})
			}
			write(t, path, meta, everyTensor()...)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			b[4] = v
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
			f := open(t, path)
			meta = append(meta, Field{quantizationKey, uint32(2)})
			if !reflect.DeepEqual(f.Meta, meta) || f.Version != int(v) {
				t.Errorf("version %d, metadata %v", f.Version, f.Meta)
			}
			for i, s := range everyTensor() {
				want, _ := s.Read()
				got, err := f.Read(s.Name)
				if err != nil {
					t.Fatal(err)
				}
				d, shape, ok := f.Info(s.Name)
				at := f.Tensors[i]
				if !ok || got.DType != d || want.DType != d || !slices.Equal(shape, want.Shape) || !slices.Equal(got.Shape, want.Shape) || at.Name != s.Name || at.Type != s.Type {
					t.Errorf("%s: %v, said is %v %v, want %v; %+v", s.Name, got, d, shape, want, at)
				}
				if a := max(int(align), 1); at.Offset%a != 0 || at.Part != 0 {
					t.Errorf("%s: at %d, alignment %d", s.Name, at.Offset, align)
				}
				x, _ := got.Float64s()
				for j, y := range must(want.Float64s()) {
					if e := math.Abs(x[j] - y); e > map[Type]float64{Q8_0: 0.02, Q4_0: 0.6}[s.Type] {
						t.Errorf("%s: element %d is %v, want %v", s.Name, j, x[j], y)
					}
				}
			}
			for name, d := range map[string]tensor.DType{"f16": tensor.Float16, "bf16": tensor.BFloat16, "f32": tensor.Float32, "i64": tensor.Int64} {
				x, err := f.Stored(name)
				if err != nil || x.DType != d {
					t.Fatalf("%s is stored as %v, %v", name, x, err)
				}
			}
			if _, err := f.Stored("q4"); err == nil || !strings.Contains(err.Error(), "quantised as Q4_0") {
				t.Errorf("stored: %v", err)
			}
			if _, err := f.Read("q5"); err == nil || !strings.Contains(err.Error(), `"q5"`) {
				t.Errorf("a name that there is not: %v", err)
			}
		}
	}
}

func must[T any](x T, err error) T {
	if err != nil {
		panic(err)
	}
	return x
}

func TestMeta(t *testing.T) {
	m := everyMeta()
	for key, want := range map[string]int{"u8": 200, "i8": -100, "u16": 60000, "i16": -30000, "u32": 4e9, "i32": -2e9, "i64": math.MinInt64} {
		if v, err := m.Int(key); err != nil || v != want {
			t.Errorf("%s is %v, %v", key, v, err)
		}
	}
	for _, key := range []string{"u64", "f32", "text", "u8s", "yes"} {
		if v, err := m.Int(key); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s is %v, %v", key, v, err)
		}
	}
	for key, want := range map[string]float64{"f32": 1.5, "f64": math.Pi} {
		if v, err := m.Float(key); err != nil || v != want {
			t.Errorf("%s is %v, %v", key, v, err)
		}
	}
	if v, err := m.Float("u8"); err == nil {
		t.Errorf("u8 is %v", v)
	}
	if v, err := m.Text("general.architecture"); err != nil || v != "llama" {
		t.Errorf("%v, %v", v, err)
	}
	if v, err := Value[[]string](m, "texts"); err != nil || len(v) != 3 {
		t.Errorf("%v, %v", v, err)
	}
	if _, err := Value[[]string](m, "u8s"); err == nil || errors.Is(err, ErrNoKey) {
		t.Errorf("u8s as texts: %v", err)
	}
	for _, err := range []error{second(m.Int("none")), second(m.Float("none")), second(m.Text("none"))} {
		if !errors.Is(err, ErrNoKey) {
			t.Error(err)
		}
	}
	m.Set("u8", "new")
	m.Set("more", true)
	if m[1].Value != "new" || m[len(m)-1] != (Field{"more", true}) {
		t.Errorf("%v", m)
	}
}

func second[T any](_ T, err error) error { return err }

// split writes n parts of a model, a tensor each.
func split(t *testing.T, dir string, n int) {
	t.Helper()
	for i := range n {
		meta := Meta{{splitNumber, uint16(i)}, {splitCount, uint16(n)}, {splitTensors, int32(n)}, {"part", int32(i)}}
		path := filepath.Join(dir, fmt.Sprintf("m-%05d-of-%05d.gguf", i+1, n))
		forge(t, path, meta, source(fmt.Sprint("t", i), F32, counting(i+1)))
	}
}

// forge writes a file with keys that Write leaves out.
func forge(t *testing.T, path string, meta Meta, s Source) {
	t.Helper()
	for i, f := range meta { // of the same length
		meta[i].Key = strings.Replace(f.Key, "split.", "spilt.", 1)
	}
	write(t, path, meta, s)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.ReplaceAll(b, []byte("spilt."), []byte("split.")), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The parts of a split model open as one, from whichever; parts that are missing or wrong
// are named.
func TestSplit(t *testing.T) {
	dir := t.TempDir()
	split(t, dir, 3)
	name := func(i int) string { return filepath.Join(dir, fmt.Sprintf("m-%05d-of-00003.gguf", i)) }
	for i := range 3 {
		f := open(t, name(i+1))
		if !slices.Equal(f.Names(), []string{"t0", "t1", "t2"}) {
			t.Errorf("names %v", f.Names())
		}
		for j, n := range f.Names() {
			if x, err := f.Read(n); err != nil || x.Len() != j+1 || f.Tensors[j].Part != j {
				t.Errorf("%s: %v, %v", n, x, err)
			}
		}
		if v, err := f.Meta.Int("part"); err != nil || v != 0 {
			t.Errorf("metadata of part %d, %v", v, err)
		}
		if i > 0 {
			continue
		}
		one := filepath.Join(dir, "one.gguf")
		write(t, one, f.Meta, source("t", F32, counting(1)))
		if g := open(t, one); len(g.Meta) != 1 {
			t.Errorf("a file of one part says %v", g.Meta)
		}
	}
	for want, spoil := range map[string]func(){
		"fetch " + name(2): func() { os.Remove(name(2)) },
		"not named":        func() { os.Rename(name(1), filepath.Join(dir, "m.gguf")) },
		"split.no 0":       func() { os.Remove(name(3)); os.Link(name(1), name(3)) },
		"hold 3 tensors": func() {
			forge(t, name(1), Meta{{splitNumber, uint16(0)}, {splitCount, uint16(3)}, {splitTensors, int32(4)}}, source("t0", F32, counting(1)))
		},
		"both in": func() {
			forge(t, name(3), Meta{{splitNumber, uint16(2)}, {splitCount, uint16(3)}}, source("t0", F32, counting(1)))
		},
		"whole number": func() {
			forge(t, name(1), Meta{{splitCount, "three"}}, source("t0", F32, counting(1)))
		},
	} {
		split(t, dir, 3)
		spoil()
		path := name(1)
		if want == "not named" {
			path = filepath.Join(dir, "m.gguf")
		}
		if f, err := Open(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, %v, want something with %q", f, err, want)
		}
	}
}

// le appends numbers, texts with their length, and bytes.
func le(parts ...any) []byte {
	var b bytes.Buffer
	for _, p := range parts {
		switch x := p.(type) {
		case string:
			text(&b, x)
		case []byte:
			b.Write(x)
		default:
			if err := binary.Write(&b, binary.LittleEndian, x); err != nil {
				panic(err)
			}
		}
	}
	return b.Bytes()
}

func TestBadFiles(t *testing.T) {
	head := func(tensors, keys uint64, rest ...any) []byte {
		return le(append([]any{[]byte(magic), uint32(3), tensors, keys}, rest...)...)
	}
	key := func(kind uint32, rest ...any) []byte {
		return head(0, 1, append(append([]any{"k", kind}, rest...), make([]byte, 64))...)
	}
	tensors := func(n uint64, rest ...any) []byte {
		b := head(n, 0, rest...)
		return append(b, make([]byte, padded(len(b), 32)-len(b)+64)...)
	}
	vector := func(name string, n, at uint64) []byte { return le(name, uint32(1), n, uint32(F32), at) }
	nested := bytes.Repeat(le(uint32(kindArray), uint64(1)), 100)
	for name, c := range map[string]struct {
		b    []byte
		want string
	}{
		"empty":             {nil, "shorter"},
		"magic":             {append([]byte("GGML"), make([]byte, 60)...), "letters GGUF"},
		"version 1":         {le([]byte(magic), uint32(1), make([]byte, 60)), "version 1"},
		"version 4":         {le([]byte(magic), uint32(4), make([]byte, 60)), "version 4"},
		"big-endian":        {le([]byte(magic), uint32(3<<24), make([]byte, 60)), "big-endian"},
		"tensors":           {head(1<<40, 0), "tensors"},
		"keys":              {head(0, 1<<63, make([]byte, 64)), "keys"},
		"many keys":         {head(0, 1<<17, make([]byte, 13<<17)), "keys"},
		"empty key":         {head(0, 1, "", uint32(kindUint8), uint8(1)), "empty"},
		"key twice":         {head(0, 2, "k", uint32(kindUint8), uint8(1), "k", uint32(kindUint8), uint8(1)), "twice"},
		"long text":         {key(kindString, uint64(1<<40)), "a text of"},
		"kind":              {key(99), "type 99"},
		"kind of array":     {key(kindArray, uint32(77), uint64(0)), "type 77"},
		"long array":        {key(kindArray, uint32(kindFloat64), uint64(1<<61)), "values"},
		"long texts":        {key(kindArray, uint32(kindString), uint64(1<<61)), "values"},
		"long arrays":       {key(kindArray, uint32(kindArray), uint64(1<<61)), "values"},
		"deep":              {key(kindArray, nested, make([]byte, 64)), "too deep"},
		"bool":              {key(kindBool, uint8(2)), "true or false"},
		"cut":               {head(0, 1, "some key", uint8(1)), "cut short"},
		"alignment 0":       {head(0, 1, alignmentKey, uint32(kindUint32), uint32(0)), "power of two"},
		"alignment 24":      {head(0, 1, alignmentKey, uint32(kindUint32), uint32(24)), "power of two"},
		"alignment text":    {head(0, 1, alignmentKey, uint32(kindString), "32"), "string"},
		"axes":              {tensors(1, "t", uint32(5), make([]byte, 64)), "5 axes"},
		"many axes":         {tensors(1, "t", uint32(math.MaxUint32), make([]byte, 64)), "axes"},
		"size":              {tensors(1, vector("t", 1<<63, 0)), "more than a file"},
		"offset":            {tensors(1, vector("t", 1, 1<<63)), "more than a file"},
		"product":           {tensors(1, "t", uint32(3), uint64(1<<40), uint64(1<<40), uint64(1), uint32(F32), uint64(0)), "too large"},
		"bytes":             {tensors(1, vector("t", 1<<58, 0)), "too large"},
		"past the end":      {tensors(1, vector("t", 17, 0)), "cut short"},
		"begins at the end": {tensors(1, vector("t", 1, 64)), "cut short"},
		"unaligned":         {tensors(1, vector("t", 1, 4)), "multiple of 32"},
		"type":              {tensors(1, "t", uint32(1), uint64(32), uint32(31), uint64(0)), "type 31 is not known"},
		"rows":              {tensors(1, "t", uint32(2), uint64(16), uint64(2), uint32(Q8_0), uint64(0)), "multiple of the 32"},
		"tensor twice":      {tensors(2, vector("t", 1, 0), vector("t", 1, 32)), "twice"},
		"overlap":           {tensors(2, vector("t", 9, 0), vector("u", 1, 32)), "same bytes"},
		"no data":           {head(1, 0, vector("t", 1, 0)), "cut short"},
	} {
		err := hostile.Read(t, len(c.b), func() error { _, err := readHeader(bytes.NewReader(c.b), len(c.b)); return err })
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want something with %q", name, err, c.want)
		}
	}
	// With an overlap put right the file is good; so is one of nothing.
	for _, b := range [][]byte{tensors(2, vector("t", 8, 0), vector("u", 1, 32)), head(0, 0)} {
		if _, err := readHeader(bytes.NewReader(b), len(b)); err != nil {
			t.Error(err)
		}
	}
}

// Types that are known by name alone are listed and refused by name.
func TestUndecoded(t *testing.T) {
	b := le([]byte(magic), uint32(3), uint64(2), uint64(0), "t", uint32(1), uint64(256), uint32(23), uint64(0), "u", uint32(1), uint64(8), uint32(F32), uint64(160))
	b = append(b, make([]byte, padded(len(b), 32)-len(b)+160+32)...)
	path := filepath.Join(t.TempDir(), "m.gguf")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	f := open(t, path)
	if _, err := f.Read("t"); err == nil || !strings.Contains(err.Error(), "IQ4_XS") {
		t.Errorf("%v", err)
	}
	if x, err := f.Read("u"); err != nil || x.Len() != 8 {
		t.Errorf("%v, %v", x, err)
	}
	f.Close()
	if _, err := f.Read("u"); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// What a reader would refuse is not written, and nothing is left behind.
func TestWriteRefuses(t *testing.T) {
	dir := t.TempDir()
	broken := errors.New("broken")
	x := counting(32)
	large := counting(32)
	large.F32()[7] = 1e9
	infinite := counting(32)
	infinite.F32()[5] = float32(math.Inf(-1))
	for want, c := range map[string]struct {
		meta Meta
		s    []Source
	}{
		"Q4_K is not written":   {nil, []Source{source("t", Q4_K, counting(256))}},
		"type 31 is not":        {nil, []Source{source("t", 31, x)}},
		"a name of 64":          {nil, []Source{source(strings.Repeat("t", 64), F32, x)}},
		"a name of 0":           {nil, []Source{source("", F32, x)}},
		"5 axes":                {nil, []Source{source("t", F32, counting(1, 1, 1, 1, 1))}},
		"twice":                 {nil, []Source{source("t", F32, x), source("t", F32, x)}},
		"write it as F16":       {nil, []Source{source("t", Q8_0, counting(33))}},
		"element 7":             {nil, []Source{source("t", F16, large)}},
		"elements 0 to 31":      {nil, []Source{source("t", Q8_0, large)}},
		"element 5 is -Inf":     {nil, []Source{source("t", Q4_0, infinite)}},
		"floating-point":        {nil, []Source{source("t", F32, tensor.Vector[int8](1))}},
		"floating-point types":  {nil, []Source{source("t", I8, x)}},
		"announced was [2 16]":  {nil, []Source{{"t", F32, []int{2, 16}, func() (*tensor.Tensor, error) { return x, nil }}}},
		"broken":                {nil, []Source{{"t", F32, []int{2}, func() (*tensor.Tensor, error) { return nil, broken }}}},
		`"k" is empty, or`:      {Meta{{"k", true}, {"k", false}}, nil},
		`"" is empty`:           {Meta{{"", true}}, nil},
		"values of type int":    {Meta{{"k", 1}}, nil},
		"values of type struct": {Meta{{"k", []any{struct{}{}}}}, nil},
		"power of two":          {Meta{{alignmentKey, uint32(3)}}, nil},
	} {
		err := Write(filepath.Join(dir, "m.gguf"), c.meta, c.s)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want something with %q", err, want)
		}
	}
	if es, err := os.ReadDir(dir); err != nil || len(es) > 0 {
		t.Errorf("left behind: %v, %v", es, err)
	}
}

func FuzzFile(f *testing.F) {
	path := filepath.Join(f.TempDir(), "m.gguf")
	write(f, path, everyMeta(), everyTensor()...)
	b, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	for kind, l := range layouts {
		h := le([]byte(magic), uint32(3), uint64(1), uint64(0), "t", uint32(1), uint64(l.block), uint32(kind), uint64(0))
		f.Add(append(h, make([]byte, padded(len(h), 32)-len(h)+l.size)...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var h header
		if hostile.Read(t, len(b), func() (err error) { h, err = readHeader(bytes.NewReader(b), len(b)); return err }) != nil {
			return
		}
		for _, x := range h.tensors {
			n, err := x.Type.Bytes(x.Shape)
			if err != nil {
				t.Fatal(err)
			}
			y, err := x.decode(b[x.Offset : x.Offset+n])
			if err == nil && (y.DType != x.Type.reads() || !slices.Equal(y.Shape, x.Shape)) {
				t.Errorf("%+v gave %v", x, y)
			}
		}
		head, _, err := encodeHeader(h.meta, nil)
		if err != nil {
			t.Fatal(err)
		}
		again, err := readHeader(bytes.NewReader(head), len(head))
		if err != nil {
			t.Fatal(err)
		}
		for _, field := range again.meta {
			if v, ok := h.meta.Get(field.Key); !ok || fmt.Sprint(v) != fmt.Sprint(field.Value) {
				t.Errorf("%s: %v became %v", field.Key, v, field.Value)
			}
		}
	})
}
