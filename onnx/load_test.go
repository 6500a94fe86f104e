package onnx

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"pare/graph"
	"pare/onnx/onnxpb"

	"google.golang.org/protobuf/proto"
)

func marshal(t *testing.T, m proto.Message) []byte {
	t.Helper()
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A file whose weights stay in it while it is read gives what the bytes in memory give,
// cut or changed anywhere too: a network or an error.
func TestLoadAndDecodeAgree(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.onnx")
	check := func(what string, b []byte) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		g, err := Load(path)
		h, err2 := Decode(b, "")
		k, m, err3 := Map(context.Background(), path)
		if (err == nil) != (err2 == nil) || (err == nil) != (err3 == nil) {
			t.Fatalf("%s: from a file %v, from memory %v, mapped %v", what, err, err2, err3)
		}
		if err != nil {
			return
		}
		x, err := Encode(g, Options{})
		y, err2 := Encode(h, Options{})
		z, err3 := Encode(k, Options{})
		if !bytes.Equal(x, y) || !bytes.Equal(x, z) {
			t.Fatalf("%s: other networks (%v, %v, %v)", what, err, err2, err3)
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, g := range []*graph.Graph{all(), weighted(1)} {
		b, err := Encode(g, Options{})
		if err != nil {
			t.Fatal(err)
		}
		check("whole", b)
		for i := 0; i < len(b); i += 1 + len(b)/300 {
			check(fmt.Sprint("cut at ", i), b[:i])
			c := bytes.Clone(b)
			c[i] ^= 0x15
			check(fmt.Sprint("changed at ", i), c)
		}
		m := &onnxpb.ModelProto{}
		if err := proto.Unmarshal(b, m); err != nil {
			t.Fatal(err)
		}
		check("two graphs, merged", append(bytes.Clone(b), marshal(t, &onnxpb.ModelProto{Graph: &onnxpb.GraphProto{DocString: proto.String("more")}})...))
	}
}

// A network that is mapped has the weights of one that is read, in its file and beside it,
// where they lie; what is written to them does not reach the files.
func TestMap(t *testing.T) {
	for _, o := range []Options{{}, {External: true}} {
		path := filepath.Join(t.TempDir(), "m.onnx")
		if err := Save(path, weighted(3), o); err != nil {
			t.Fatal(err)
		}
		files := func() (all []byte) {
			names, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
			for _, n := range names {
				b, err := os.ReadFile(n)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, b...)
			}
			return all
		}
		before := files()
		g, m, err := Map(context.Background(), path)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(m.(*maps).files); n != map[bool]int{false: 1, true: 2}[o.External] {
			t.Errorf("%+v: %d files are mapped", o, n)
		}
		large := 0
		for _, n := range g.Nodes {
			w := n.In(1).Const.F32()
			for i, v := range w {
				if v != 3 {
					t.Fatalf("%+v: weight %d is %v", o, i, v)
				}
			}
			w[0] = 7
			if in(m.(*maps), w) {
				large++
			}
		}
		if large < 2 && runtime.GOOS == "linux" {
			t.Errorf("%+v: %d weights are used as they lie", o, large)
		}
		if !bytes.Equal(files(), before) {
			t.Errorf("%+v: a weight that was written to has changed the file", o)
		}
		if err := errors.Join(m.Close(), m.Close()); err != nil {
			t.Error(err)
		}
	}
	if _, _, err := Map(context.Background(), t.TempDir()); err == nil {
		t.Error("a folder is mapped")
	}
}

// in says whether numbers lie in one of the maps.
func in(m *maps, x []float32) bool {
	for _, f := range m.files {
		b, err := f.Bytes(0, f.Size())
		if err != nil || !f.Mapped() {
			continue
		}
		at, from := uintptr(unsafe.Pointer(unsafe.SliceData(x))), uintptr(unsafe.Pointer(unsafe.SliceData(b)))
		if at >= from && at < from+uintptr(len(b)) {
			return true
		}
	}
	return false
}

// What is no network is named, with the way to one; nothing waits or reads without end.
func TestForeign(t *testing.T) {
	dir := t.TempDir()
	archived := func(name string) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		w, err := z.CreateHeader(&zip.FileHeader{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		w.Write([]byte("x")) //nolint:errcheck // to memory
		z.Close()            //nolint:errcheck // to memory
		return b.Bytes()
	}
	for name, c := range map[string]struct {
		b    []byte
		want string
	}{
		"a.pt":          {archived("net/data.pkl"), "torch.onnx.export"},
		"b.pth":         {[]byte("\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."), "torch.onnx.export"},
		"c.safetensors": {append([]byte{20, 0, 0, 0, 0, 0, 0, 0}, `{"w":{"dtype":"F32"}}`...), "as its weights"},
		"d.h5":          {[]byte("\x89HDF\r\n\x1a\n\x00\x00\x00"), "tf2onnx"},
		"e.tflite":      {[]byte("\x1c\x00\x00\x00TFL3\x14\x00\x20\x00"), "--tflite"},
		"f.mlmodel":     {[]byte("\x08\x04\x12\x03abc"), "Core ML"},
		"g.gguf":        {[]byte("GGUF\x03\x00\x00\x00"), "llama.cpp"},
		"h.keras":       {archived("metadata.json"), "Keras"},
		"i.zip":         {archived("net.onnx"), "unpack"},
		"j.onnx":        {[]byte("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"), "git lfs pull"},
		"k.onnx":        {[]byte("\n<!DOCTYPE html><html>"), "web page"},
		"l.onnx":        {nil, "empty"},
		"m.onnx":        {make([]byte, 4096), "zeros"},
		"n.npz":         {archived("w.npy"), "NumPy"},
		"o.onnx":        {[]byte("\x1f\x8b\x08\x00"), "gzip"},
		"p.json":        {[]byte(`{"a": 1}`), "JSON"},
		"q.ort":         {[]byte("\x1c\x00\x00\x00ORTM\x14\x00\x20\x00"), "ONNX Runtime"},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, c.b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want something with %q", name, err, c.want)
		}
	}
	pipe := filepath.Join(dir, "pipe.onnx")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	for path, want := range map[string]string{pipe: "pipe", "/dev/zero": "device", dir: "folder"} {
		done := make(chan error, 1)
		go func() { _, err := Load(path); done <- err }()
		select {
		case err := <-done:
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", path, err)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s is read without end", path)
		}
	}
}

// The end of the context is heard while a file is read and while sizes are counted.
func TestContextIsHeard(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	for _, name := range []string{"m.onnx", "m.pare"} {
		path := filepath.Join(dir, name)
		if err := Save(path, weighted(1), Options{}); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadContext(ctx, path); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := SparseSize(ctx, weighted(1), false); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// The caches of model hubs hold links to where the files lie.
func TestHubLinks(t *testing.T) {
	dir := t.TempDir()
	file := func(parts ...string) string { return filepath.Join(append([]string{dir}, parts...)...) }
	for _, d := range []string{"blobs", "snapshots/abc", "elsewhere"} {
		if err := os.MkdirAll(file(d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	path := file("blobs", "model.onnx")
	if err := Write(path, weighted(5), Options{External: true}); err != nil {
		t.Fatal(err)
	}
	var data string
	for _, n := range filesIn(t, file("blobs")) {
		if n != "model.onnx" {
			data = n
		}
	}
	move := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	link := func(to, at string) {
		t.Helper()
		os.Remove(at) //nolint:errcheck // there may be none
		if err := os.Symlink(to, at); err != nil {
			t.Fatal(err)
		}
	}
	move(path, file("blobs", "0a"))
	move(file("blobs", data), file("blobs", "0b"))
	link("../../blobs/0a", file("snapshots", "abc", "model.onnx"))
	link("../../blobs/0b", file("snapshots", "abc", data))
	if v := valueIn(t, file("snapshots", "abc", "model.onnx")); v != 5 {
		t.Errorf("%v", v)
	}
	move(file("blobs", "0b"), file("elsewhere", "0b"))
	link("../../elsewhere/0b", file("snapshots", "abc", data))
	if _, err := Load(file("snapshots", "abc", "model.onnx")); err == nil {
		t.Error("a link to elsewhere was followed")
	}
}
