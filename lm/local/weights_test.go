package local

import (
	"context"
	"math"
	"strings"
	"testing"

	"pare/internal/lmtest"
	"pare/lm"
	"pare/lm/decode"
)

// However weights are held, a text is about as likely, and the fingerprint says how they are.
func TestWeights(t *testing.T) {
	path := lmtest.Llama2C(t)
	score := func(m *Model) float64 {
		t.Helper()
		s, err := m.Score(context.Background(), lm.ScoreRequest{Prompt: "some words", Text: " of a text"})
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.
		for _, x := range s.Tokens {
			sum += x.Logprob
		}
		return sum / float64(len(s.Tokens))
	}
	m := opened(t, path, Options{})
	want, _, _ := m.Held()
	base := score(m)
	seen := map[string]decode.Form{m.Info().Fingerprint: want}
	for form, far := range map[decode.Form]float64{decode.F32: 0, decode.F16: .01, decode.Int8: .2, decode.Auto: 1e-6} {
		m := opened(t, path, Options{Weights: form, Cache: decode.F32})
		if d := math.Abs(score(m) - base); d > far || form == decode.Int8 && d == 0 {
			t.Errorf("%s: the mean log-probability is %v away", form, d)
		}
		held, read, left := m.Held()
		if held != form || read == 0 || len(left) > 0 {
			t.Errorf("%s: held as %s, %d bytes, without %v", form, held, read, left)
		}
		print := m.Info().Fingerprint
		if other, ok := seen[print]; ok != (form == decode.F32) {
			t.Errorf("%s has the fingerprint of %s", form, other)
		}
		seen[print] = form
	}
	half := opened(t, path, Options{Weights: decode.F16})
	if d := math.Abs(score(half) - score(opened(t, path, Options{Weights: decode.F16, Cache: decode.F32}))); d == 0 || d > .005 {
		t.Errorf("keys and values as float16: the mean log-probability is %v away", d)
	}
	if _, ok := seen[half.Info().Fingerprint]; ok {
		t.Error("keys and values of both forms have one fingerprint")
	}
	one, whole := m.Kept()
	if form, n := half.Kept(); one != decode.F32 || form != decode.F16 || n != whole/2 || n == 0 {
		t.Errorf("a token takes %d bytes as %s, and %d as %s", whole, one, n, form)
	}
	if _, err := Open(path, Options{Cache: "int8"}); err == nil || !strings.Contains(err.Error(), `Cache "int8" is none of`) {
		t.Errorf("a form of keys and values that is none: %v", err)
	}
	if _, err := Open(path, Options{Weights: "f8"}); err == nil || !strings.Contains(err.Error(), `Weights "f8" is none of`) {
		t.Errorf("a form that is none: %v", err)
	}
}
