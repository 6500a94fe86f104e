// Package weights says what a set of named weights is, whatever the format it lies in:
// the packages safetensors, gguf and llama2c give a [Reader]. It also knows the two orders
// in which the rows of projections with rotary embeddings are stored.
package weights

import "pare/tensor"

// Reader gives tensors by their names. Any number of goroutines may use one at once, up to
// Close.
type Reader interface {
	// Names are the names of the tensors, in the order of the file.
	Names() []string
	// Info is the type and the shape of what Read gives, without reading it; false where
	// there is no tensor of the name.
	Info(name string) (d tensor.DType, shape []int, ok bool)
	// Read gives a tensor. It may be a view of the file, which ends with Close; what is
	// written to it never reaches the file.
	Read(name string) (*tensor.Tensor, error)
	Close() error
}
