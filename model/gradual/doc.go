// Package gradual holds methods whose masks change while they train: those that raise
// the sparsity of a dense network, and those that train a sparse one and exchange
// its weights.
package gradual
