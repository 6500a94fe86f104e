package decode_test

import (
	"fmt"
	"testing"

	"pare/internal/familytest"
	"pare/internal/kernel"
	"pare/lm/decode"
)

// smol has the sizes of SmolLM2-135M.
const smol = `{"model_type":"llama","vocab_size":49152,"hidden_size":576,"num_hidden_layers":30,"num_attention_heads":9,
	"num_key_value_heads":3,"intermediate_size":1536,"max_position_embeddings":8192,"rope_theta":100000,"tie_word_embeddings":true}`

// total adds numbers up: it reads memory as fast as anything that uses what it reads.
type total struct {
	x    []float32
	sums []float64
}

const part = 1 << 18

func (t *total) Do(_ *kernel.Worker, i int) {
	t.sums[i] = kernel.Sum(t.x[i*part : min(len(t.x), (i+1)*part)])
}

// Decoding of a model of 135 million parameters of float32: tokens a second, the bytes of
// weights that are read in a second, and what a plain sum over as many bytes reads.
func BenchmarkDecode(b *testing.B) {
	f := familytest.Model(b, smol, 1)
	m, err := decode.New(f)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("sum", func(b *testing.B) {
		t := &total{x: make([]float32, m.Read()/4)}
		for i := range t.x {
			t.x[i] = float32(i % 3)
		}
		n := (len(t.x) + part - 1) / part
		t.sums = make([]float64, n)
		b.SetBytes(int64(m.Read()))
		for b.Loop() {
			kernel.Shared().Run(n, t)
		}
	})
	for _, n := range []int{1, 2, 4, 8, 16} {
		for _, before := range []int{16, 1000} {
			if n > 1 && before > 16 {
				continue
			}
			b.Run(fmt.Sprintf("sequences=%d/before=%d", n, before), func(b *testing.B) {
				s := session(b, f, decode.Options{Sequences: n, Capacity: 2048})
				in := make([]decode.Input, n)
				for i := range in {
					in[i] = decode.Input{Seq: i, Tokens: make([]int, before)}
				}
				none := func(_, _ int, _ []float32) error { return nil }
				if err := s.Run(in, nil); err != nil {
					b.Fatal(err)
				}
				for i := range in {
					in[i].Tokens = in[i].Tokens[:1]
				}
				b.SetBytes(int64(m.Read()))
				for b.Loop() {
					if err := s.Run(in, none); err != nil {
						b.Fatal(err)
					}
					for i := range in {
						if err := s.Truncate(i, before); err != nil {
							b.Fatal(err)
						}
					}
				}
				b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "tokens/s")
			})
		}
	}
	b.Run("prompt=512", func(b *testing.B) {
		s := session(b, f, decode.Options{Capacity: 512})
		in := []decode.Input{{Tokens: make([]int, 512)}}
		for b.Loop() {
			if err := s.Run(in, nil); err != nil {
				b.Fatal(err)
			}
			if err := s.Truncate(0, 0); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(512*b.N)/b.Elapsed().Seconds(), "tokens/s")
	})
}
