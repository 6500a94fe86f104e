package dataset

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"pare/npy"
	"pare/tensor"
)

// stored writes arrays as np.savez does, or packed as np.savez_compressed.
func stored(t *testing.T, path string, method uint16, x, y *tensor.Tensor) string {
	t.Helper()
	var e []entry
	for i, a := range []*tensor.Tensor{x, y} {
		b, err := npy.Encode(a)
		if err != nil {
			t.Fatal(err)
		}
		e = append(e, entry{[]string{"x.npy", "y.npy"}[i], b})
	}
	return write(t, path, zipped(method, e...))
}

// counted is n samples whose first two values tell which they are.
func counted(first, n, channels, side int) (x, y *tensor.Tensor) {
	x, y = tensor.New(tensor.Uint8, n, channels, side, side), tensor.New(tensor.Int64, n)
	size := channels * side * side
	for i := range n {
		k := first + i
		for j := range size {
			tensor.Of[uint8](x)[i*size+j] = uint8(k*7 + j)
		}
		tensor.Of[uint8](x)[i*size], tensor.Of[uint8](x)[i*size+1] = uint8(k), uint8(k>>8)
		tensor.Of[int64](y)[i] = int64(k % 10)
	}
	return x, y
}

// shardsOf writes files of numbered samples and gives their folder.
func shardsOf(t *testing.T, files, each, channels, side int, method uint16) string {
	dir := t.TempDir()
	for k := range files {
		x, y := counted(k*each, each, channels, side)
		stored(t, filepath.Join(dir, "train", fmt.Sprintf("shard-%03d.npz", k)), method, x, y)
	}
	return dir
}

func streamed(t *testing.T, spec string, bound int64) *Data {
	t.Helper()
	d, err := Options{Memory: bound}.Open(spec)
	if err != nil {
		t.Fatal(err)
	}
	if d.sets()[0].Stream == nil {
		t.Fatalf("%s is not streamed: %v", spec, d.Notes)
	}
	return d
}

// all is every sample of a set in its order.
func all(t *testing.T, s *Set, norm Norm) (x []float32, y []int64) {
	t.Helper()
	l := &Loader{Set: s, Size: s.Len(), Norm: norm, Threads: 3}
	x, y = make([]float32, s.Len()*s.X().Size()), make([]int64, s.Len()*s.y().Size())
	if _, err := l.Fill(0, 0, []Buffer{{X: x}, {Field: 1, I: y}}); err != nil {
		t.Fatal(err)
	}
	return x, y
}

// A set is the same samples, streamed or not: of every type, layout and way in which
// files are packed, with its splits and draws.
func TestStreamedIsHeld(t *testing.T) {
	dir := t.TempDir()
	base := tensor.New(tensor.Float32, 90, 6, 5, 3)
	for i := range base.F32() {
		base.F32()[i] = float32(i*31%200) / 2
	}
	labels := tensor.New(tensor.Int32, 90)
	for i := range 90 {
		tensor.Of[int32](labels)[i] = int32(i / 18)
	}
	of := func(d tensor.DType) *tensor.Tensor {
		b := make([]byte, 0, 90*90*8)
		for _, v := range base.F32() {
			switch d {
			case tensor.Uint8, tensor.Int8:
				b = append(b, uint8(v))
			case tensor.Int16, tensor.Float16:
				b = append(b, uint8(v), uint8(v)/8)
			case tensor.Float64:
				u := math.Float64bits(float64(v))
				for k := range 8 {
					b = append(b, uint8(u>>(8*k)))
				}
			}
		}
		x, err := tensor.FromRaw(b, d, base.Shape...)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	arrays := map[string]*tensor.Tensor{"f4": base}
	for _, d := range []tensor.DType{tensor.Uint8, tensor.Int8, tensor.Int16, tensor.Float16, tensor.Float64} {
		arrays[d.String()] = of(d)
	}
	specs := map[string]string{}
	for name, x := range arrays {
		for _, layout := range []string{"", "?layout=nchw", "?layout=nhwc"} {
			specs[name+" stored"+layout] = "npz:" + stored(t, filepath.Join(dir, name+"0.npz"), zip.Store, x, labels) + layout
		}
		xb, _ := npy.Encode(x)
		yb, _ := npy.Encode(labels)
		specs[name+" npy"] = "npy:" + write(t, filepath.Join(dir, name+"x.npy"), xb) + "," + write(t, filepath.Join(dir, name+"y.npy"), yb)
	}
	cifar := func(path string, head, n int) {
		b := make([]byte, n*(head+cifarImage))
		for i := range b {
			b[i] = uint8(i * 7 >> 3)
			if i%(head+cifarImage) < head {
				b[i] = uint8(i / len(b) % 10)
			}
		}
		write(t, path, b)
	}
	for k := range 5 {
		cifar(filepath.Join(dir, "c10", fmt.Sprintf("data_batch_%d.bin", k+1)), 1, 30+k)
	}
	cifar(filepath.Join(dir, "c10", "test_batch.bin"), 1, 20)
	cifar(filepath.Join(dir, "c100", "train.bin"), 2, 30)
	cifar(filepath.Join(dir, "c100", "test.bin"), 2, 20)
	specs["cifar10"], specs["cifar100"], specs["coarse"] = "cifar10:"+filepath.Join(dir, "c10"), "cifar100:"+filepath.Join(dir, "c100"), "cifar100:"+filepath.Join(dir, "c100")+"?label=coarse"
	digits := make([]byte, 60*49)
	for i := range digits {
		digits[i] = uint8(i * i)
	}
	specs["idx"] = "idx:" + write(t, filepath.Join(dir, "images"), idx([]int{60, 7, 7}, digits...)) + "," + write(t, filepath.Join(dir, "labels"), idx([]int{60}, digits[:60]...))
	specs["text"] = "text:" + write(t, filepath.Join(dir, "a.txt"), []byte(strings.Repeat("It is a truth universally acknowledged\r\n", 50))) + "?seq=16"
	specs["folder"] = "npz:" + shardsOf(t, 4, 25, 3, 4, zip.Store) + "?norm=raw"
	specs["folder, packed"] = "npz:" + shardsOf(t, 40, 10, 3, 4, zip.Deflate)
	specs["split"] = specs["folder"] + "&val=0.2&n=40"
	for name, spec := range specs {
		t.Run(name, func(t *testing.T) {
			h := open(t, spec)
			bound := int64(0)
			for _, s := range h.sets() {
				bound = max(bound, int64(s.stored())*(s.X().bytes()+4)-1)
			}
			d := streamed(t, spec, bound)
			if len(d.sets()) != len(h.sets()) || d.Norm.Scale != h.Norm.Scale {
				t.Fatalf("%d sets, %d held; norm %v, %v", len(d.sets()), len(h.sets()), d.Norm, h.Norm)
			}
			for i, s := range d.sets() {
				if d.NormName != h.NormName {
					t.Errorf("norm %s, %s held", d.NormName, h.NormName)
				}
				if err := s.Sound(); err != nil {
					t.Fatal(err)
				}
				x, y := all(t, s, d.Norm)
				hx, hy := all(t, h.sets()[i], h.Norm)
				if !slices.Equal(s.X().Shape, h.sets()[i].X().Shape) || !slices.Equal(x, hx) || !slices.Equal(y, hy) {
					t.Errorf("the %s set is another: shape %v, %v held", s.Name, s.X().Shape, h.sets()[i].X().Shape)
				}
				if s.class() == nil {
					continue
				}
				a, err := s.Balanced(1, 3)
				b, _ := h.sets()[i].Balanced(1, 3)
				if err != nil || !slices.Equal(a.Index, b.Index) || !slices.Equal(s.Draw(20, 4).indices(), h.sets()[i].Draw(20, 4).indices()) {
					t.Errorf("draws differ: %v", err)
				}
			}
		})
	}
}

// Each sample comes once an epoch, in an order that only seed, epoch and batch decide:
// not the threads, nor where one begins. Samples of a batch come from many parts.
func TestStreamedOrder(t *testing.T) {
	d := streamed(t, "npz:"+shardsOf(t, 8, 250, 3, 8, zip.Store), 200<<10)
	s := d.Train
	if s.Shuffling() == "" {
		t.Fatal("the window holds all samples")
	}
	order := func(l *Loader, epoch, i int) []int {
		x := make([]float32, l.Size*s.X().Size())
		n, err := l.Fill(epoch, i, []Buffer{{X: x}})
		if err != nil {
			t.Fatal(err)
		}
		var out []int
		for k := range n {
			out = append(out, int(x[k*s.X().Size()])+256*int(x[k*s.X().Size()+1]))
		}
		return out
	}
	mk := func(threads int) *Loader {
		return &Loader{Set: s, Size: 50, Norm: Raw, Shuffle: true, Seed: 7, Threads: threads}
	}
	one, four := mk(1), mk(4)
	var epochs [2][]int
	for e := range epochs {
		for i := range one.Steps() {
			a := order(one, e, i)
			epochs[e] = append(epochs[e], a...)
			if !slices.Equal(a, order(four, e, i)) {
				t.Fatalf("batch %d of epoch %d depends on threads", i, e)
			}
			parts := map[int]bool{}
			for _, k := range a {
				parts[k/s.Stream.Parts()[0]] = true
			}
			if len(parts) < 8 {
				t.Errorf("batch %d is of %d parts", i, len(parts))
			}
		}
		seen := slices.Sorted(slices.Values(epochs[e]))
		for k := range seen {
			if seen[k] != k {
				t.Fatalf("epoch %d: sample %d is missing, or twice there", e, k)
			}
		}
	}
	if slices.Equal(epochs[0], epochs[1]) {
		t.Error("two epochs are the same")
	}
	if a := order(mk(2), 1, 17); !slices.Equal(a, epochs[1][17*50:18*50]) {
		t.Error("a loader that begins in the middle gives another batch")
	}
	tr, val, err := s.Split(.3, 5)
	if err != nil || tr.Len()+val.Len() != 2000 {
		t.Fatal(tr.Len(), val.Len(), err)
	}
	l := &Loader{Set: tr, Size: 50, Norm: Raw, Shuffle: true, Threads: 2}
	var got []int
	for i := range 28 {
		got = append(got, order(l, 3, i)...)
	}
	slices.Sort(got)
	for i, k := range got {
		if k != tr.at(i) {
			t.Fatalf("a split gives sample %d in the place of %d", k, tr.at(i))
		}
	}
}

// A window of all samples is a shuffle of all: each sample is as likely at any place.
func TestDriftIsUniform(t *testing.T) {
	s := New("", &Field{Shape: []int{1}, Bytes: make([]uint8, 64)})
	ends := []int{10, 17, 40, 64}
	var at [64][4]int // of each sample: how often it came in each quarter
	const epochs = 4000
	for e := range epochs {
		l := &Loader{Set: s, Size: 1, Seed: 3, order: make([]int32, 64)}
		for i := range l.order {
			l.order[i] = int32(i)
		}
		l.Shuffle = true
		s.Stream = &parts{ends: ends, window: 63}
		l.order = nil
		l.arrange(e)
		for k, i := range l.order {
			at[i][k/16]++
		}
	}
	for i := range at {
		for q, n := range at[i] { // 5 deviations of a binomial
			if math.Abs(float64(n)-epochs/4) > 5*math.Sqrt(epochs*.25*.75) {
				t.Errorf("sample %d came %d of %d times in quarter %d", i, n, epochs, q)
			}
		}
	}
}

// A set of ten times the bound is streamed within the bound.
func TestStreamedMemory(t *testing.T) {
	const bound, each = 6 << 20, 2048
	dir := shardsOf(t, 11, each, 3, 32, zip.Store) // 66 MiB
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before := m.HeapAlloc
	d := streamed(t, "npz:"+dir, bound)
	s := d.Train
	if n := s.Len() * s.X().Size(); n < 10*bound {
		t.Fatalf("%d bytes", n)
	}
	a := NewAhead(&Loader{Set: s, Size: 64, Norm: d.Norm, Shuffle: true, Seed: 1})
	defer a.Close()
	x, y := make([]float32, 64*s.X().Size()), make([]int64, 64)
	seen := make([]int, s.Len())
	most := uint64(0)
	for e := range 2 {
		for i := range a.Steps() {
			if _, err := a.Fill(e, i, []Buffer{{X: x, Raw: true}, {Field: 1, I: y}}); err != nil {
				t.Fatal(err)
			}
			for k := range 64 {
				v := x[k*s.X().Size():]
				seen[int(v[0])+256*int(v[1])]++
			}
			if i%16 == 0 {
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapAlloc)
			}
		}
	}
	for i, n := range seen {
		if n != 2 {
			t.Fatalf("sample %d was seen %d times in 2 epochs", i, n)
		}
	}
	own := uint64(4*len(x) + 8*len(y) + 8*len(seen))
	t.Logf("%d MB in %.1f MB of heap, %d parts, %s", s.Len()*s.X().Size()>>20, float64(most-before-own)/(1<<20), len(s.Stream.Parts()), s.Shuffling())
	if most-before-own > bound {
		t.Errorf("%d bytes of heap, more than the bound of %d", most-before-own, bound)
	}
}

// Files that change under a stream are errors that name file and sample.
func TestStreamedFilesChange(t *testing.T) {
	for name, change := range map[string]func(f string) error{
		"cut short": func(f string) error { return os.Truncate(f, 30000) },
		"removed":   os.Remove,
		"grown": func(f string) error {
			b, err := os.ReadFile(f)
			if err == nil {
				err = os.WriteFile(f, append(b, 0), 0o644)
			}
			return err
		},
	} {
		for _, method := range []uint16{zip.Store, zip.Deflate} {
			dir := shardsOf(t, 40, 50, 3, 8, method)
			d := streamed(t, "npz:"+dir, 300<<10)
			if err := change(filepath.Join(dir, "train", "shard-011.npz")); err != nil {
				t.Fatal(err)
			}
			a := NewAhead(&Loader{Set: d.Train, Size: 100, Norm: Raw})
			x := make([]float32, 100*d.Train.X().Size())
			var err error
			i := 0
			for ; err == nil && i < a.Steps(); i++ {
				_, err = a.Fill(0, i, []Buffer{{X: x}})
			}
			if err == nil || i != 6 || !strings.Contains(err.Error(), "shard-011.npz") || !strings.Contains(err.Error(), "sample 550 of the training set") {
				t.Errorf("%s, %d: batch %d: %v", name, method, i, err)
			}
			if _, err := a.Fill(0, 2, []Buffer{{X: x}}); err != nil {
				t.Errorf("%s: a batch of other files after that: %v", name, err)
			}
			a.Close()
		}
	}
}

// Shards that do not go together are refused by name, before any sample is read.
func TestShardsDiffer(t *testing.T) {
	for what, x := range map[string]*tensor.Tensor{"shape": tensor.New(tensor.Uint8, 50, 3, 8, 9), "type": tensor.New(tensor.Float32, 50, 3, 8, 8)} {
		dir := shardsOf(t, 4, 50, 3, 8, zip.Store)
		_, y := counted(0, 50, 3, 8)
		stored(t, filepath.Join(dir, "train", "shard-100.npz"), zip.Store, x, y)
		for _, bound := range []int64{0, 20 << 10} {
			if _, err := (Options{Memory: bound}).Open("npz:" + dir); err == nil || !strings.Contains(err.Error(), "shard-100.npz") {
				t.Errorf("another %s, bound %d: %v", what, bound, err)
			}
		}
	}
	dir := t.TempDir()
	x, y := counted(0, 500, 3, 8)
	stored(t, filepath.Join(dir, "a.npz"), zip.Deflate, x, y)
	if _, err := (Options{Memory: 60 << 10}).Open("npz:" + dir); err == nil || !strings.Contains(err.Error(), "without compression") {
		t.Errorf("a packed shard that is larger than memory: %v", err)
	}
	if _, err := (Options{Memory: 9 << 10}).Open("npz:" + dir); err == nil || !strings.Contains(err.Error(), "the order of 500 samples") {
		t.Errorf("a bound for nothing: %v", err)
	}
}

// The background work ends with Close and with the context, in the midst of reading.
func TestStreamedEnds(t *testing.T) {
	d := streamed(t, "npz:"+shardsOf(t, 4, 500, 3, 8, zip.Store), 200<<10)
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(context.Background())
	x := make([]float32, 10*d.Train.X().Size())
	for k := range 20 {
		a := NewAheadContext(ctx, &Loader{Set: d.Train, Size: 10, Norm: Raw, Shuffle: true})
		for i := range k % 4 {
			if _, err := a.Fill(0, i, []Buffer{{X: x}}); err != nil {
				t.Fatal(err)
			}
		}
		a.Close()
	}
	a := NewAheadContext(ctx, &Loader{Set: d.Train, Size: 10, Norm: Raw})
	cancel()
	if _, err := a.Fill(0, 0, []Buffer{{X: x}}); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
	a.Close()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); { // the last may be on its way out
		if runtime.Gosched(); runtime.NumGoroutine() <= before {
			return
		}
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

// What a digest of a stream is over: names, sizes and blocks, not where files lie.
func TestStreamedDigest(t *testing.T) {
	spec := func(dir string) string { return streamed(t, "npz:"+dir, 200<<10).Train.Digest() }
	one, two := shardsOf(t, 4, 500, 3, 8, zip.Store), shardsOf(t, 4, 500, 3, 8, zip.Store)
	if spec(one) != spec(two) {
		t.Error("the same files elsewhere have another digest")
	}
	x, y := counted(1, 500, 3, 8)
	stored(t, filepath.Join(two, "train", "shard-001.npz"), zip.Store, x, y)
	if spec(one) == spec(two) {
		t.Error("other samples have the same digest")
	}
}

// Pictures are the same samples in the same order, streamed or not.
func TestStreamedPictures(t *testing.T) {
	dir := t.TempDir()
	var entries []entry
	for i := range 60 {
		b := pngOf(picture(6+i%3, 5, color.NRGBA{uint8(4 * i), uint8(200 - i), 7, 255}))
		switch {
		case i%7 == 3:
			b = pngOf(image.NewGray(image.Rect(0, 0, 9, 5)))
		case i%7 == 5:
			b = jpegOf(picture(8, 8, color.NRGBA{uint8(3 * i), 9, 80, 255}))
		}
		name := fmt.Sprintf("%s/%s/%02d.png", []string{"train", "test"}[i/40], []string{"dog", "cat"}[i%2], i)
		write(t, filepath.Join(dir, "tree", name), b)
		entries = append(entries, entry{name, b})
	}
	file := write(t, filepath.Join(dir, "a.zip"), zipped(zip.Deflate, entries...))
	for _, spec := range []string{"folder:" + filepath.Join(dir, "tree"), "zip:" + file} {
		for _, options := range []string{"?size=7x9", "?size=6&channels=1&val=.2", "?resize=8&crop=5&train-crop=resized&order=bgr&erase=.5"} {
			h, d := open(t, spec+options), streamed(t, spec+options, 2100)
			if !slices.Equal(h.Notes, slices.DeleteFunc(slices.Clone(d.Notes), func(n string) bool { return strings.Contains(n, "streamed") })) {
				t.Errorf("notes are others: %q, held %q", d.Notes, h.Notes)
			}
			for i, s := range d.sets() {
				if s.Stream == nil || s.Shuffling() != "" {
					t.Fatalf("the %s set is not streamed, or not shuffled as a whole", s.Name)
				}
				read := func(s *Set) (x []float32, y []int64) {
					x, y = make([]float32, s.Len()*s.X().Size()), make([]int64, s.Len())
					l := &Loader{Set: s, Size: s.Len(), Norm: d.Norm, Shuffle: true, Seed: 4, Augment: Augment{Crop: 1, Flip: true, Data: true}}
					if _, err := l.Fill(2, 0, []Buffer{{X: x}, {Field: 1, I: y}}); err != nil {
						t.Fatal(err)
					}
					return x, y
				}
				x, y := read(s)
				hx, hy := read(h.sets()[i])
				if !slices.Equal(x, hx) || !slices.Equal(y, hy) || !slices.Equal(s.Class().Names, h.sets()[i].Class().Names) {
					t.Errorf("%s: the %s set is another", spec+options, s.Name)
				}
			}
		}
	}
	d := streamed(t, "folder:"+filepath.Join(dir, "tree")+"?size=7x9", 2100)
	write(t, filepath.Join(dir, "tree/train/cat/13.png"), []byte("no picture"))
	l := &Loader{Set: d.Train, Size: 40, Norm: d.Norm}
	if _, err := l.Fill(0, 0, []Buffer{{X: make([]float32, 40*d.Train.X().Size())}}); err == nil || !strings.Contains(err.Error(), "cat/13.png") || !strings.Contains(err.Error(), "sample 6 of the training set") {
		t.Errorf("a picture that is none any more: %v", err)
	}
	if _, err := (Options{Memory: 2100}).Open("folder:" + filepath.Join(dir, "tree")); err == nil || !strings.Contains(err.Error(), "all must be of one size") {
		t.Errorf("pictures of several sizes: %v", err)
	}
}
