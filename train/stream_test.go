package train

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pare/dataset"
	"pare/npy"
	"pare/tensor"
)

// The same bytes of a streamed set for any number of threads, and for a run that was
// stopped in the middle of an epoch and goes on.
func TestStreamedSameBytes(t *testing.T) {
	held, err := dataset.Open("digits?n=400")
	if err != nil {
		t.Fatal(err)
	}
	x, y := tensor.New(tensor.Uint8, 400, 1, 8, 8), tensor.New(tensor.Int64, 400)
	for i := range 400 {
		for k, v := range held.Train.X().Floats[i*64 : i*64+64] {
			tensor.Of[uint8](x)[i*64+k] = uint8(16 * v)
		}
		tensor.Of[int64](y)[i] = int64(held.Train.Label(i))
	}
	dir := t.TempDir()
	var files []string
	for i, a := range []*tensor.Tensor{x, y} {
		b, err := npy.Encode(a)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, filepath.Join(dir, []string{"x.npy", "y.npy"}[i]))
		if err := os.WriteFile(files[i], b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	mk := func(threads int) *Config {
		d, err := dataset.Options{Memory: 26 << 10}.Open("npy:" + strings.Join(files, ",") + "?val=.1")
		if err != nil {
			t.Fatal(err)
		}
		if d.Train.Shuffling() == "" {
			t.Fatal("it is not streamed within a window")
		}
		c := config(t, threads)
		c.Train = NewData(&dataset.Loader{Set: d.Train, Size: 16, Norm: d.Norm, Shuffle: true, Seed: 2, Augment: dataset.Augment{Crop: 1, Flip: true}})
		c.Val = NewEval(d.Val, d.Norm, 16, c.Engine)
		return c
	}
	one, err := Fit(context.Background(), mk(1))
	if err != nil {
		t.Fatal(err)
	}
	c := mk(3)
	c.Save = filepath.Join(t.TempDir(), "ckpt")
	ctx, cancel := context.WithCancel(context.Background())
	c.OnStep = func(step int, _ float64) {
		if step == 30 {
			cancel()
		}
	}
	if _, err := Fit(ctx, c); !errors.Is(err, ErrInterrupted) {
		t.Fatal(err)
	}
	b3 := mk(3)
	b3.Save, b3.Resume = c.Save, true
	share := -1.
	b3.OnEpoch = func(e Epoch) { share = e.Waiting }
	again, err := Fit(context.Background(), b3)
	if err != nil {
		t.Fatal(err)
	}
	if sum(one.Graph) != sum(again.Graph) || !slices.Equal(one.Past, again.Past) {
		t.Errorf("the resumed run on three threads differs: %v, want %v", again.Past, one.Past)
	}
	if share < 0 || share > 1 {
		t.Errorf("it waited for data %v of the time", share)
	}
}
