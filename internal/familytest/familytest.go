// Package familytest is what tests share that want a language model of a config, with weights
// that are drawn.
package familytest

import (
	"math/rand/v2"
	"testing"

	"pare/graph"
	"pare/lm/family"
)

func read(t testing.TB, config string) *family.Config {
	t.Helper()
	c, err := family.Read([]byte(config))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Model is a model of a config whose weights are drawn by a seed, as they are before training.
func Model(t testing.TB, config string, seed uint64) *family.Model {
	t.Helper()
	m, err := family.Draw(read(t, config), seed, 0)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Graph is the network of Model.
func Graph(t testing.TB, config string, seed uint64) *graph.Graph {
	t.Helper()
	g, err := Model(t, config, seed).Graph()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// Uneven are the config and the weights of a model whose norms and biases differ from channel
// to channel: normal numbers, of a standard deviation, are added to all weights.
func Uneven(t testing.TB, config string, deviation float64) (*family.Config, family.Tensors) {
	t.Helper()
	_, ws, err := family.Weights(Graph(t, config, 1))
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(2, 3))
	for _, name := range family.Tensors(ws).Names() {
		for i := range ws[name].F32() {
			ws[name].F32()[i] += float32(deviation * r.NormFloat64())
		}
	}
	return read(t, config), ws
}
