// Command largemodel shows that pruning takes the memory of a block and not that of the model:
// it makes up a Llama of random weights, prunes it by `pare model prune` with a hard limit of
// the system on the memory of the process, and prints what that took.
//
//	go run ./scripts/largemodel -dir FOLDER
//
// The weights lie in one file, which is larger than the limit: the system does not map it, and
// they are read piece by piece. The folder is removed again.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"pare/lm/family"
	"pare/report"
	"pare/safetensors"
	"pare/tensor"
)

func main() {
	dir := flag.String("dir", "", "folder to work in, which is made and removed")
	blocks := flag.Int("blocks", 96, "transformer blocks of the model")
	memory := flag.Int("memory", 512, "MiB that Pare is told to take at most")
	limit := flag.Int("limit", 768, "MiB that the system lets the process take (RLIMIT_DATA)")
	methods := flag.String("methods", "wanda --sparsity 0.5;sparsegpt --pattern 2:4", "methods with their flags")
	flag.Parse()
	if *dir == "" {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*dir, *blocks, *memory, *limit, strings.Split(*methods, ";")); err != nil {
		fmt.Fprintln(os.Stderr, "largemodel:", err)
		os.Exit(1)
	}
}

func run(dir string, blocks, memory, limit int, methods []string) (err error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is in the way of nobody
	in, text, pare := filepath.Join(dir, "model"), filepath.Join(dir, "text.txt"), filepath.Join(dir, "pare")
	if out, err := exec.Command("go", "build", "-o", pare, "./cmd/pare").CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w: %s", err, out)
	}
	size, err := makeUp(in, blocks)
	if err != nil {
		return err
	}
	if err := os.WriteFile(text, words(), 0o644); err != nil {
		return err
	}
	fmt.Printf("the model: %d blocks, %s on disk, %s as float32\n", blocks, report.Bytes(int64(size)).Text, report.Bytes(int64(2*size)).Text)
	t := &report.Table{Columns: []string{"method", "limit of the system", "--memory", "most anonymous memory", "of the model as float32", "cut", "seconds"}}
	for i, m := range methods {
		out := filepath.Join(dir, fmt.Sprint("out", i))
		args := append([]string{"model", "prune", in, "--json", "--memory", fmt.Sprint(memory, "M"), "--data", "text:" + text + "?seq=64", "--samples", "16", "--epochs", "0", "--exclude", "lm_head.weight", "-o", out + "/", "--method"}, strings.Fields(m)...)
		begin := time.Now()
		most, said, err := limited(limit, pare, args)
		if err != nil {
			return fmt.Errorf("%s: %w", m, err)
		}
		if err := os.RemoveAll(out); err != nil {
			return err
		}
		var x struct{ Kept, Weights int }
		if err := json.Unmarshal(said, &x); err != nil {
			return fmt.Errorf("%w: %s", err, said)
		}
		t.Rows = append(t.Rows, []report.Cell{report.Text(m), report.Bytes(int64(limit) << 20), report.Bytes(int64(memory) << 20), report.Bytes(int64(most)), report.Percent(float64(most) / float64(2*size)),
			report.Percent(1 - float64(x.Kept)/float64(x.Weights)), report.Number(time.Since(begin).Seconds())})
	}
	t.Print(os.Stdout, 0)
	return nil
}

// makeUp writes a Llama of random bfloat16 weights, one weight after the other, and gives its
// bytes.
func makeUp(dir string, blocks int) (bytes int, err error) {
	const hidden, inner, vocab, kv = 1024, 2048, 65536, 256
	config := fmt.Sprintf(`{"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": %d, "intermediate_size": %d, "num_hidden_layers": %d, "num_attention_heads": 16, "num_key_value_heads": 4,
  "vocab_size": %d, "max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "rope_theta": 500000.0, "tie_word_embeddings": false, "torch_dtype": "bfloat16"}`, hidden, inner, blocks, vocab)
	if _, err := family.Read([]byte(config)); err != nil {
		return 0, err
	}
	var infos []safetensors.Info
	add := func(name string, shape ...int) {
		infos = append(infos, safetensors.Info{Name: name + ".weight", DType: tensor.BFloat16, Shape: shape})
		n, _ := tensor.Size(shape)
		bytes += 2 * n
	}
	add("lm_head", vocab, hidden)
	add("model.embed_tokens", vocab, hidden)
	for i := range blocks {
		p := fmt.Sprintf("model.layers.%d.", i)
		add(p+"input_layernorm", hidden)
		add(p+"post_attention_layernorm", hidden)
		add(p+"self_attn.q_proj", hidden, hidden)
		add(p+"self_attn.k_proj", kv, hidden)
		add(p+"self_attn.v_proj", kv, hidden)
		add(p+"self_attn.o_proj", hidden, hidden)
		add(p+"mlp.gate_proj", inner, hidden)
		add(p+"mlp.up_proj", inner, hidden)
		add(p+"mlp.down_proj", hidden, inner)
	}
	add("model.norm", hidden)
	w, err := safetensors.CreateFolder(dir, infos, 0, nil)
	if err != nil {
		return 0, err
	}
	defer w.Abort()
	r := rand.NewPCG(1, 1)
	for _, x := range infos {
		t := tensor.New(tensor.BFloat16, x.Shape...)
		draw(t.Data.([]uint16), r, len(x.Shape) == 1)
		if err := w.Write(x.Name, t); err != nil {
			return 0, err
		}
	}
	if err := w.Close(); err != nil {
		return 0, err
	}
	return bytes, os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o644)
}

// draw makes weights of about N(0, 0.02²), or scales of 1.
func draw(x []uint16, r *rand.PCG, scales bool) {
	for i := range x {
		if x[i] = tensor.F32ToBF16(1); scales {
			continue
		}
		sum, bits := 0, r.Uint64()
		for range 4 { // of four uniform numbers, whose deviation is 2^16/sqrt(3)
			sum += int(bits&0xffff) - 0x8000
			bits >>= 16
		}
		x[i] = tensor.F32ToBF16(.02 * float32(sum) / 37837)
	}
}

// words is a text of random words.
func words() []byte {
	var b bytes.Buffer
	r := rand.New(rand.NewPCG(2, 2))
	for range 4000 {
		for range 1 + r.IntN(7) {
			b.WriteByte(byte('a' + r.IntN(26)))
		}
		b.WriteByte(' ')
	}
	return b.Bytes()
}

// limited runs a command that may have so many MiB of data, and gives the most anonymous memory
// that was resident, and what it wrote.
func limited(mib int, name string, args []string) (most int, out []byte, err error) {
	c := exec.Command("sh", append([]string{"-c", fmt.Sprintf(`ulimit -d %d && exec "$0" "$@"`, mib<<10), name}, args...)...)
	var said, wrong bytes.Buffer
	c.Stdout, c.Stderr = &said, &wrong
	if err := c.Start(); err != nil {
		return 0, nil, err
	}
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	status := fmt.Sprintf("/proc/%d/status", c.Process.Pid)
	for {
		select {
		case err := <-done:
			if err != nil {
				tail := wrong.Bytes()
				err = fmt.Errorf("%w: %s", err, tail[max(0, len(tail)-2000):])
			}
			return most, said.Bytes(), err
		case <-time.After(10 * time.Millisecond):
			most = max(most, anonymous(status))
		}
	}
}

// anonymous is RssAnon of a process, in bytes.
func anonymous(status string) int {
	b, err := os.ReadFile(status)
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), "RssAnon:")
	f := strings.Fields(rest)
	if len(f) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(f[0])
	return n << 10
}
