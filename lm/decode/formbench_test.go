package decode_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"pare/internal/familytest"
	"pare/lm/decode"
)

// The forms side by side: a step of a model of the sizes of SmolLM2-135M with matrices held
// in each form, of which shares are zero, for one sequence and for some. The forms take
// turns, step by step, so that all see the same machine; the quickest step of each counts.
// For each share of zeros: tokens a second, how many times as many as of float32, MB read.
func BenchmarkForms(b *testing.B) {
	f := familytest.Model(b, smol, 1)
	type variant struct {
		name string
		m    *decode.Model
	}
	vs := []variant{{"f32", model(b, f, decode.F32)}, {"f16", model(b, f, decode.F16)}, {"int8", model(b, f, decode.Int8)}}
	for _, share := range []float64{.5, .7, .9} {
		cut(vs[0].m, share) // what was cut before is among it
		for _, form := range []decode.Form{decode.F16, decode.Int8, decode.Auto} {
			name := string(form)
			if form == decode.Auto { // what was drawn fits in nothing less
				name = "f32"
			}
			vs = append(vs, variant{fmt.Sprintf("%s-%.0f%%", name, 100*share), model(b, f, form)})
		}
	}
	const before = 16
	for _, way := range [][2]int{{1, 1}, {1, 2}, {4, 1}, {8, 1}} {
		n, threads := way[0], way[1]
		b.Run(fmt.Sprintf("sequences=%d/threads=%d", n, threads), func(b *testing.B) {
			in := make([]decode.Input, n)
			none := func(_, _ int, _ []float32) error { return nil }
			ss, best := make([]*decode.Session, len(vs)), make([]float64, len(vs))
			for i, v := range vs {
				var err error
				if ss[i], err = v.m.NewSession(decode.Options{Sequences: n, Capacity: 64, Threads: threads}); err != nil {
					b.Fatal(err)
				}
				for k := range in {
					in[k] = decode.Input{Seq: k, Tokens: make([]int, before)}
				}
				if err := ss[i].Run(in, nil); err != nil {
					b.Fatal(err)
				}
				defer ss[i].Close()
				best[i] = math.Inf(1)
			}
			for k := range in {
				in[k].Tokens = in[k].Tokens[:1]
			}
			for b.Loop() {
				for i, s := range ss {
					begun := time.Now()
					if err := s.Run(in, none); err != nil {
						b.Fatal(err)
					}
					best[i] = min(best[i], time.Since(begun).Seconds())
					for k := range in {
						if err := s.Truncate(k, before); err != nil {
							b.Fatal(err)
						}
					}
				}
			}
			out := ""
			for _, form := range []string{"f32", "f16", "int8"} {
				out += fmt.Sprintf("\n%-4s", form)
				for i, v := range vs {
					if name, share, _ := strings.Cut(v.name, "-"); name == form {
						out += fmt.Sprintf(" |%4s %6.1f/s x%.2f %3d MB", share, float64(n)/best[i], best[0]/best[i], v.m.Read()/1e6)
						b.ReportMetric(best[0]/best[i], v.name+"-x")
					}
				}
			}
			b.Log(out)
		})
	}
}
