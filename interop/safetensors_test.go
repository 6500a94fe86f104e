package interop

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"pare/safetensors"
	"pare/tensor"
)

type safeJob struct {
	Do     string `json:"do"`
	Dir    string `json:"dir"`
	Shards int    `json:"shards,omitempty"`
}

type safeAnswer struct {
	Error   string   `json:"error"`
	Format  []string `json:"format"`
	Tensors map[string]struct {
		DType  string `json:"dtype"`
		Shape  []int  `json:"shape"`
		Digest string `json:"sha256"`
	} `json:"tensors"`
}

// sameTensors compares a folder with what Hugging Face's package says of its tensors.
func sameTensors(t *testing.T, dir string, a safeAnswer) {
	t.Helper()
	r, err := safetensors.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if a.Error != "" || len(r.Names()) != len(a.Tensors) {
		t.Fatalf("%v, want %+v", r.Names(), a)
	}
	for _, name := range r.Names() {
		x, err := r.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		if want := a.Tensors[name]; x.DType.String() != want.DType || !slices.Equal(x.Shape, want.Shape) || digest(x.Raw()) != want.Digest {
			t.Errorf("%s: %v, want %+v", name, x, want)
		}
	}
}

// Folders in one file and in shards go either way between Pare and Hugging Face's package.
func TestSafetensors(t *testing.T) {
	py := python(t, "safetensors", "torch")
	work := t.TempDir()
	var jobs []safeJob
	for _, shards := range []int{1, 4} {
		dir := filepath.Join(work, "theirs"+strconv.Itoa(shards))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, safeJob{"write", dir, shards})
	}
	for _, bytes := range []int{0, 100} {
		dir := filepath.Join(work, "ours"+strconv.Itoa(bytes))
		writeFolder(t, dir, bytes)
		jobs = append(jobs, safeJob{"read", dir, 0})
	}
	for i, a := range ask[safeJob, safeAnswer](t, py, "shards.py", work, jobs) {
		sameTensors(t, jobs[i].Dir, a)
		if jobs[i].Do == "read" && !slices.Equal(a.Format, []string{"pt"}) {
			t.Errorf("%s: format %v", jobs[i].Dir, a.Format)
		}
	}
}

// writeFolder writes a tensor of every type that torch has too, the last first.
func writeFolder(t *testing.T, dir string, shard int) {
	t.Helper()
	var infos []safetensors.Info
	tensors := map[string]*tensor.Tensor{}
	for d := tensor.Float32; d <= tensor.BFloat16; d++ {
		if d.Size() == 0 || d == tensor.Uint16 || d == tensor.Uint32 || d == tensor.Uint64 {
			continue
		}
		b := make([]byte, 6*d.Size())
		for i := range b {
			b[i] = byte(i*7+int(d)) & 1
		}
		x, err := tensor.FromRaw(b, d, 2, 3)
		if err != nil {
			t.Fatal(err)
		}
		infos = append(infos, safetensors.Info{Name: "ours." + d.String(), DType: d, Shape: x.Shape})
		tensors["ours."+d.String()] = x
	}
	w, err := safetensors.CreateFolder(dir, infos, shard, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for _, i := range slices.Backward(infos) {
		if err := w.Write(i.Name, tensors[i.Name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}
