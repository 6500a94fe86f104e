// Package lowbit makes networks of integers of few bits out of networks in float: with
// samples, by the ranges of activations (static), without them (dynamic, or the weights
// alone), and by training on with rounding in the network. It leaves in float what would
// cost more than a budget allows, and says what it left and why.
package lowbit
