// Package blockwise prunes a language model one block at a time: whatever its size, that
// takes the memory of one block, of the activations of the samples between two blocks, and
// of the moments of one layer.
package blockwise
