// Package allocate says how much of each layer stays: the number of entries
// kept in each layer for a sparsity of the whole.
package allocate

import (
	"fmt"
	"math"

	"pare/prune"
)

// Keep is how many of n entries stay at a sparsity: n*(1-s) rounded to the
// nearest, halves up. It returns an error for a sparsity outside [0,1).
func Keep(n int, sparsity float64) (int, error) {
	if math.IsNaN(sparsity) || sparsity < 0 || sparsity >= 1 {
		return 0, fmt.Errorf("sparsity %v is outside [0,1)", sparsity)
	}
	return int(math.Floor(float64(n)*(1-sparsity) + 0.5 + 1e-9)), nil
}

// Cut is how many of n entries go at a sparsity: round(n*s).
func Cut(n int, sparsity float64) (int, error) {
	if _, err := Keep(n, sparsity); err != nil {
		return 0, err
	}
	return int(math.Round(float64(n) * sparsity)), nil
}

// Uniform keeps the same share of every layer, at least one entry each.
func Uniform(ws []*prune.Weight, sparsity float64) ([]int, error) {
	out := make([]int, len(ws))
	for l, w := range ws {
		k, err := Keep(w.Len(), sparsity)
		if err != nil {
			return nil, err
		}
		out[l] = max(1, k)
	}
	return out, nil
}

// UniformExact keeps the same share of every layer, rounded so that the total is
// exact.
func UniformExact(ws []*prune.Weight, sparsity float64) ([]int, error) {
	total, err := Keep(prune.Total(ws), sparsity)
	if err != nil {
		return nil, err
	}
	share := make([]float64, len(ws))
	for l := range share {
		share[l] = float64(total) / float64(prune.Total(ws))
	}
	return exact(ws, share, total), nil
}

// Global ranks all entries together and keeps N - round(sparsity*N) of them,
// but at least the floor[l] best of layer l (nil: no floor). It returns the
// masks themselves: the allocation and the selection are one ranking.
func Global(ws []*prune.Weight, score [][]float32, sparsity float64, floor []int) (*prune.Masks, error) {
	n := prune.Total(ws)
	cut, err := Cut(n, sparsity)
	if err != nil {
		return nil, err
	}
	masks, err := prune.Global(score, n-cut, floor)
	if err != nil {
		return nil, err
	}
	return &prune.Masks{Weights: ws, Mask: masks}, nil
}

// Select keeps the keep[l] best entries of every layer.
func Select(ws []*prune.Weight, score [][]float32, keep []int, ties prune.Ties) *prune.Masks {
	m := &prune.Masks{Weights: ws}
	for l := range ws {
		m.Mask = append(m.Mask, prune.TopK(score[l], keep[l], ties))
	}
	return m
}
