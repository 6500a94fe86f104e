package safetensors

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pare/internal/hostile"
	"pare/tensor"
)

// every is a file with a tensor of every type, and of ranks 0 to 3.
func every(t testing.TB) *File {
	f := &File{Tensors: map[string]*tensor.Tensor{}, Meta: map[string]string{"format": "pt", "\"": "\u2028"}}
	r := rand.New(rand.NewPCG(1, 1))
	shapes := [][]int{{}, {3}, {2, 3}, {4, 0, 2}, {1, 2, 3}}
	for d := tensor.Float32; d <= tensor.BFloat16; d++ {
		if d.Size() == 0 {
			continue
		}
		shape := shapes[int(d)%len(shapes)]
		n, _ := tensor.Size(shape)
		b := make([]byte, n*d.Size())
		for i := range b {
			b[i] = byte(r.UintN(256))
			if d == tensor.Bool {
				b[i] &= 1
			}
		}
		x, err := tensor.FromRaw(b, d, shape...)
		if err != nil {
			t.Fatal(err)
		}
		name := "layer." + d.String()
		f.Names, f.Tensors[name] = append(f.Names, name), x
	}
	return f
}

func TestRoundTrip(t *testing.T) {
	f := every(t)
	path := filepath.Join(t.TempDir(), "w.safetensors")
	if err := Write(path, f); err != nil {
		t.Fatal(err)
	}
	g, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := Encode(f); err != nil {
		t.Error(err)
	} else if c, err := os.ReadFile(path); err != nil || !bytes.Equal(b, c) {
		t.Errorf("other bytes than those of Encode (%v)", err)
	}
	if !maps.Equal(f.Meta, g.Meta) || len(g.Tensors) != len(f.Names) {
		t.Errorf("metadata %v, tensors %v", g.Meta, g.Names)
	}
	for name, x := range f.Tensors {
		y := g.Tensors[name]
		if y == nil || x.DType != y.DType || !reflect.DeepEqual(x.Shape, y.Shape) || !reflect.DeepEqual(x.Raw(), y.Raw()) {
			t.Errorf("%s: %v became %v", name, x, y)
		}
	}
	if err := Write(path, &File{Names: []string{"s"}, Tensors: map[string]*tensor.Tensor{"s": tensor.Scalar("text")}}); err == nil {
		t.Error("strings were written")
	}
}

// raw is a file of a header and data.
func raw(head string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(head)))
	return append(append(b, head...), make([]byte, data)...)
}

// A file as the format's page shows it.
func TestDecode(t *testing.T) {
	f, err := Decode(raw(`{"a":{"dtype":"F16","shape":[1,2],"data_offsets":[4,8]},"b":{"shape":[1],"data_offsets":[0,4],"dtype":"F32"}}   `, 8))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(f.Names, []string{"b", "a"}) || f.Tensors["a"].DType != tensor.Float16 || f.Tensors["b"].Len() != 1 {
		t.Errorf("%+v", f)
	}
}

func TestBadFiles(t *testing.T) {
	one := func(shape string, begin, end int) string {
		return fmt.Sprintf(`{"a":{"dtype":"F32","shape":%s,"data_offsets":[%d,%d]}}`, shape, begin, end)
	}
	for name, c := range map[string]struct {
		b    []byte
		want string
	}{
		"empty":        {nil, "shorter"},
		"header":       {binary.LittleEndian.AppendUint64(nil, 1<<63), "cut short"},
		"cut":          {raw(one("[2]", 0, 8), 7), "cannot have"},
		"long":         {raw(one("[2]", 0, 8), 9), "too long"},
		"no object":    {raw("[]", 0), "JSON"},
		"not JSON":     {raw(`{"a":`, 0), "header"},
		"more":         {raw(`{} {}`, 0), "follows"},
		"huge":         {raw(one("[1099511627776]", 0, 4), 4), "cannot have"},
		"overflow":     {raw(one("[4294967296,4294967296,4294967296]", 0, 4), 4), "cannot have"},
		"wraps to fit": {raw(one("[4611686018427387905]", 0, 4), 4), "cannot have"},
		"negative":     {raw(one("[-1]", 0, 4), 4), "not a size"},
		"fraction":     {raw(one("[1.5]", 0, 4), 4), "not a size"},
		"too large":    {raw(one("[99999999999999999999]", 0, 4), 4), "not a size"},
		"backwards":    {raw(one("[1]", 4, 0), 4), "end before"},
		"gap":          {raw(one("[1]", 4, 8), 8), "gap"},
		"overlap":      {raw(`{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}`, 6), "overlap"},
		"twice":        {raw(`{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`, 0), "twice"},
		"type":         {raw(`{"a":{"dtype":"F8_E4M3","shape":[0],"data_offsets":[0,0]}}`, 0), "F8_E4M3"},
		"missing":      {raw(`{"a":{"dtype":"U8"}}`, 0), "needed"},
		"unknown":      {raw(`{"a":{"dtype":"U8","stride":[1]}}`, 0), "stride"},
		"rank":         {raw(one("["+strings.Repeat("1,", 99)+"1]", 0, 4), 4), "more than"},
		"nested":       {raw(`{"a":`+strings.Repeat(`{"a":`, 100_000), 0), "not part"},
		"nested list":  {raw(`{"a":{"shape":`+strings.Repeat(`[`, 100_000), 0), "in the place"},
		"metadata":     {raw(`{"__metadata__":{"a":1}}`, 0), "in the place"},
		"many":         {raw(`{`+strings.Repeat(`"":{},`, 1_000_000), 0), "needed"},
	} {
		err := hostile.Read(t, len(c.b), func() error { _, err := Decode(c.b); return err })
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want something with %q", name, err, c.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	b, err := Encode(every(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(raw(`{"a":{"dtype":"F16","shape":[1,2],"data_offsets":[4,8]},"b":{"shape":[1],"data_offsets":[0,4],"dtype":"F32"}}   `, 8))
	f.Fuzz(func(t *testing.T, b []byte) {
		var x *File
		if hostile.Read(t, len(b), func() (err error) { x, err = Decode(b); return err }) != nil {
			return
		}
		c, err := Encode(x)
		if err != nil {
			t.Fatal(err)
		}
		if y, err := Decode(c); err != nil || !reflect.DeepEqual(x.Names, y.Names) {
			t.Errorf("written again it reads %v (%v), was %v", y, err, x)
		}
	})
}
