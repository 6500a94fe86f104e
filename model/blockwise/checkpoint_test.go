package blockwise_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pare/dataset"
	"pare/lm/files"
	"pare/model"
	"pare/model/blockwise"
	"pare/model/calibrated"
	runs "pare/run"
	"pare/safetensors"
	"pare/tensor"
)

// killed is what a process is told that is to be killed.
type killed struct{ In, Text, Out, Save, Method string }

// TestMain: with this set, the test's binary prunes a model by blocks, and says where it is.
func TestMain(m *testing.M) {
	if text := os.Getenv("PARE_TEST_BLOCKS"); text != "" {
		var k killed
		if err := json.Unmarshal([]byte(text), &k); err != nil {
			panic(err)
		}
		if err := k.prune(func(at string) { fmt.Println(at) }); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}

func (k *killed) method() model.Method {
	wanda, gpt, dsnot := calibrated.NewWanda(), calibrated.NewSparseGPT(), calibrated.NewDSnoT()
	wanda.Samples.Samples, gpt.Samples.Samples, dsnot.Samples.Samples = 70, 70, 70
	return map[string]model.Method{"wanda": wanda, "sparsegpt": gpt, "dsnot": dsnot}[k.Method]
}

func (k *killed) prune(at func(string)) error {
	d, err := dataset.Open("text:" + k.Text + "?seq=16")
	if err != nil {
		return err
	}
	f, err := files.Open(k.In)
	if err != nil {
		return err
	}
	defer f.Close()
	j := job(d)
	j.Save, j.Resume = k.Save, k.Save != ""
	runs.TidyFolder(k.Out, ".safetensors", ".json") // as the command does
	if k.Save != "" {
		runs.Tidy(k.Save)
	}
	_, err = blockwise.Prune(context.Background(), k.method(), j, f, k.Out, blockwise.Options{At: at})
	return err
}

// bytesFile is a text of bytes, and its path.
func bytesFile(t *testing.T) string {
	t.Helper()
	r := rand.New(rand.NewPCG(5, 5))
	b := make([]byte, 2000)
	for i := range b {
		b[i] = byte(r.IntN(256))
	}
	path := filepath.Join(t.TempDir(), "text.txt")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

var six = `{"model_type":"llama",` + strings.Replace(small, `"num_hidden_layers":2`, `"num_hidden_layers":6`, 1) + `"num_key_value_heads":2}`

// A process that is killed at any instant goes on behind the last block that was done, to the
// same bytes, and leaves nothing but the model when it ends.
func TestKilled(t *testing.T) {
	path, in := bytesFile(t), folder(t, six, tensor.BFloat16)
	r := rand.New(rand.NewPCG(9, uint64(time.Now().UnixNano())))
	for _, method := range []string{"wanda", "sparsegpt", "dsnot"} {
		t.Run(method, func(t *testing.T) {
			dir := t.TempDir()
			want := &killed{in, path, filepath.Join(dir, "whole"), "", method}
			if err := want.prune(nil); err != nil {
				t.Fatal(err)
			}
			k := &killed{in, path, filepath.Join(dir, "out"), filepath.Join(dir, "save"), method}
			told, err := json.Marshal(k)
			if err != nil {
				t.Fatal(err)
			}
			done, kills := 0, 0 // blocks that were done when a later one was read
			for {
				c := exec.Command(os.Args[0])
				c.Env = append(os.Environ(), "PARE_TEST_BLOCKS="+string(told))
				out, err := c.StdoutPipe()
				if err == nil {
					err = c.Start()
				}
				if err != nil {
					t.Fatal(err)
				}
				first, n := true, 1+r.IntN(7)
				lines := bufio.NewScanner(out)
				for ; n > 0 && lines.Scan(); n-- {
					var block int
					if _, err := fmt.Sscanf(lines.Text(), "block %d of 6 is read", &block); err != nil || !strings.HasSuffix(lines.Text(), "is read") {
						continue
					}
					if first && block <= done {
						t.Fatalf("it began anew with block %d, and %d were done", block, done)
					}
					first, done = false, block-1
				}
				if n == 0 && kills < 25 {
					c.Process.Kill() //nolint:errcheck // it may have ended
				}
				for lines.Scan() { //nolint:revive // what it says until it ends
				}
				if c.Wait() == nil {
					break
				}
				if kills++; kills > 30 {
					t.Fatal("it comes to no end")
				}
			}
			t.Logf("killed %d times", kills)
			same(t, want.Out, k.Out)
			runs.Clean(k.Save)
			if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
				t.Errorf("left behind %v (%v)", left, err)
			}
		})
	}
}

// A checkpoint of another run, of a model that has changed, and a damaged one are refused; without
// one a run begins anew.
func TestCheckpointRefused(t *testing.T) {
	path, in, dir := bytesFile(t), folder(t, six, tensor.Float32), t.TempDir()
	d, err := dataset.Open("text:" + path + "?seq=16")
	if err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	run := func(change func(m *calibrated.Wanda, j *model.Job), stop string) error {
		m, j := calibrated.NewWanda(), job(d)
		m.Samples.Samples = 8
		j.Save, j.Resume = at("save"), true
		change(m, j)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		_, err := blockwise.Prune(ctx, m, j, open(t, in), at("out"), blockwise.Options{At: func(is string) {
			if is == stop {
				cancel()
			}
		}})
		return err
	}
	plain := func(*calibrated.Wanda, *model.Job) {}
	if err := run(plain, "block 3 of 6 is cut"); err == nil {
		t.Fatal("it was not stopped")
	}
	keep, err := os.ReadFile(at("save"))
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what, want string, change func(m *calibrated.Wanda, j *model.Job)) {
		t.Helper()
		if err := run(change, ""); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "Force") {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := os.Stat(at("out")); err == nil {
			t.Errorf("%s: something was written", what)
		}
	}
	refused("another sparsity", "another run", func(m *calibrated.Wanda, _ *model.Job) { m.Sparsity = .6 })
	refused("another seed", "another run", func(_ *calibrated.Wanda, j *model.Job) { j.Seed = 9 })
	for i := 0; i < len(keep); i += 1 + len(keep)/60 {
		if err := os.WriteFile(at("save"), keep[:i], 0o644); err != nil {
			t.Fatal(err)
		}
		refused(fmt.Sprintf("%d bytes", i), "block by block", plain)
	}
	if err := safetensors.Write(at("save"), &safetensors.File{Meta: map[string]string{"pare.blocks": `{"next":70}`}}); err != nil {
		t.Fatal(err)
	}
	refused("no progress", "block by block", plain)
	if err := os.WriteFile(at("save"), keep, 0o644); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(in, "config.json")
	was, err := os.Stat(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(config, was.ModTime(), was.ModTime().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	refused("another model", "another run", plain)
	if err := os.Chtimes(config, was.ModTime(), was.ModTime()); err != nil {
		t.Fatal(err)
	}
	if err := run(plain, ""); err != nil {
		t.Fatal(err)
	}
	m := calibrated.NewWanda()
	m.Samples.Samples = 8
	out, _ := byBlocks(t, m, job(d), in, blockwise.Options{})
	same(t, out, at("out"))
}
