// Package block finds the blocks of a network that may go as a whole, and removes them:
// branches of residual sums whose shortcut is the identity, whole blocks of transformers,
// and layers in a row whose input and output have one shape.
//
// [Find] looks at the graph alone: names only name what it found. [Remove] gives the
// network without some blocks, where each sum has become its shortcut, and [Zero] the same
// network with their branches silenced, which computes the same.
package block

import (
	"fmt"

	"pare/graph"
	"pare/prune/structure"
)

// Kind says what a block is.
type Kind uint8

// The kinds of blocks.
const (
	Residual    Kind = iota // a branch beside an identity shortcut
	Attention               // such a branch that attends
	FeedForward             // a branch without attention among those of a transformer
	Transformer             // attention with the feed-forward branches behind it
	Plain                   // a layer without a shortcut
)

func (k Kind) String() string {
	return [...]string{"residual", "attention", "feed-forward", "transformer", "plain"}[k]
}

// MarshalText writes the kind as String does.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads it back.
func (k *Kind) UnmarshalText(b []byte) error {
	for i := Residual; i <= Plain; i++ {
		if i.String() == string(b) {
			*k = i
			return nil
		}
	}
	return fmt.Errorf("there is no block of kind %q", b)
}

// Block is a part of a network that may go: where it is removed, Out becomes In.
type Block struct {
	Name    string // by its weights' names, or by its nodes' where exporters made those up
	Kind    Kind
	In, Out *graph.Value   // of one shape
	Nodes   []*graph.Node  // that go with it, in the network's order
	Weights []*graph.Value // constants that they alone read, in the order of first use
	Cost    structure.Cost // that goes with it, for one sample

	// Stage counts the rows of blocks that follow each other directly, so that all their
	// values have one shape: blocks of one stage have the same number.
	Stage int

	// Norm says that the normalisation behind the sum goes too, as it must where the
	// shortcut comes from such a one (BERT): then the block's values are normalised once,
	// but a zeroed branch is not the same as none.
	Norm bool

	parts []part
}

// part is one thing that is replaced: the output of a sum by what is left of it, or that
// of a plain layer by its input.
type part struct {
	branch *graph.Value // that the sum loses; nil: a plain layer
	after  *graph.Node  // behind the sum, which goes with it; nil: nothing
	layer  *graph.Node  // a plain layer, whose input stands in for its output
	out    *graph.Value // what the plain layer gives, behind its activation
}

// Whole is a sum of branches, or a block, that cannot go, and why.
type Whole struct{ Name, Why string }
