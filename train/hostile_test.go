package train

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"reflect"
	"testing"

	"pare/internal/hostile"
)

// sealed is a checkpoint with this body, its length and checksum right.
func sealed(body []byte) []byte {
	sum := sha256.Sum256(body)
	b := append(fmt.Appendf(nil, "%s%d", checkpointMagic, CheckpointFormat), sum[:]...)
	return append(binary.LittleEndian.AppendUint64(b, uint64(len(body))), body...)
}

func body(tb testing.TB) []byte {
	c := &checkpoint{Key: []string{"k", ""}, Step: 3, Epoch: 1, Sum: .5, Past: []Epoch{{}}, Names: []string{"w\xff"}, Weights: [][]float32{{1, 2, 0}}, State: [][][]float32{{{3, 4, 5}, {}}},
		StatNames: []string{"s"}, Stats: [][]float32{{6}}, Hooks: map[string][]byte{"h": {7}}}
	good, best := *c, *c
	good.Key, good.Step, best.Key, best.State = nil, 2, nil, [][][]float32{nil}
	c.Watch, c.Norms = watch{1.5, .25, 7, 2, 3}, norms{3, 9}
	c.Peak, c.Tested, c.Factor, c.Backs = .05, 30, .0625, []Back{{5, 2, .25}, {4, 2, .0625}}
	c.Good, c.Best, c.Chosen = &good, &best, chosen{Epoch{1, 2, .5, .1, .75, Score{Value: .9}, 0}, .95}
	b, err := encode(c)
	if err != nil {
		tb.Fatal(err)
	}
	if d, err := decode(b); err != nil || !reflect.DeepEqual(c, d) {
		tb.Fatalf("%+v became %+v (%v)", c, d, err)
	}
	return b[len(checkpointMagic)+1+sha256.Size+8:]
}

// Every change of one byte of a checkpoint is noticed, and every end too early.
func TestChecksum(t *testing.T) {
	b := sealed(body(t))
	if _, err := decode(b); err != nil {
		t.Fatal(err)
	}
	for i := range b {
		b[i] ^= 0x55
		if _, err := decode(b); err == nil {
			t.Errorf("byte %d of %d was changed unnoticed", i, len(b))
		}
		b[i] ^= 0x55
		if _, err := decode(b[:i]); err == nil {
			t.Errorf("cut to %d bytes it was read", i)
		}
	}
}

// A state that is kept in a checkpoint keeps none itself.
func TestNested(t *testing.T) {
	b := sealed(body(t))
	c, err := decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if c.Good.Good = c.Best; c.Good.Good == nil {
		t.Fatal("nothing is kept")
	}
	if b, err = encode(c); err != nil {
		t.Fatal(err)
	}
	if _, err := decode(b); err == nil {
		t.Error("a state within a state within a checkpoint was read")
	}
}

// FuzzCheckpoint gives a checkpoint's body, after its length and checksum.
func FuzzCheckpoint(f *testing.F) {
	f.Add(body(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		b = sealed(b)
		hostile.Read(t, len(b), func() error { _, err := decode(b); return err }) //nolint:errcheck // what it refuses does not matter here
	})
}
