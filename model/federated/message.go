package federated

import (
	"pare/prune"
	"pare/train"
)

// Ask says what a server wants of a client.
type Ask uint8

// What a server may want.
const (
	AskStatistics Ask = iota + 1 // of the normalisations, with a candidate: Statistics
	AskLoss                      // of the candidate sent last, with the statistics of all: Loss
	AskTraining                  // a round of training: Update
)

// Model is the numbers of a network, of what its Layout lists.
type Model struct {
	Masks  []*prune.Mask   // of the sparse tensors; nil: those that were sent before
	Values [][]float32     // of each sparse tensor what its mask keeps, in the order of places; nil with Dense: those that were sent before
	Dense  [][]float32     // of each dense tensor everything
	Norms  []train.Moments // running statistics of the normalisations
}

// Broadcast is what a server says to a client.
type Broadcast struct {
	Ask   Ask
	Round int // from 1; of a candidate 0
	Model *Model
	Grow  []Quota // layers whose masks are adjusted after this round
}

// Quota asks a client for the positions of a layer, of those that are cut, where the
// loss depends most on the weight.
type Quota struct {
	Layer int // place among the sparse tensors
	Count int // pairs at most
}

// Statistics are what goes into the normalisations at a client, with a candidate.
type Statistics struct {
	Norms []train.Moments
}

// Loss is the mean loss of a candidate on a client's development part.
type Loss struct {
	Value float64
}

// Update is what a client's training has made of the network: its masks are those that
// were sent.
type Update struct {
	Loss  float64 // mean of the last local epoch
	Model *Model
	Grow  []Gradients // in the order of what was asked for
}

// Gradients are positions of a layer that are cut, and the loss's derivatives there.
type Gradients struct {
	Layer int
	Index []int // rising
	Value []float32
}
