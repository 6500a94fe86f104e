package gguf

import "testing"

// How long the elements of each type take to decode.
func BenchmarkDecode(b *testing.B) {
	for _, kind := range []Type{F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, Q8_K} {
		b.Run(kind.String(), func(b *testing.B) {
			t := Tensor{Type: kind, Shape: []int{1 << 18}}
			n, err := kind.Bytes(t.Shape)
			if err != nil {
				b.Fatal(err)
			}
			x := make([]byte, n)
			for b.Loop() {
				if _, err := t.decode(x); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(1<<18), "ns/element")
		})
	}
}
