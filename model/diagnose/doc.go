// Package diagnose holds methods that ask whether pruning was worth it, or what would
// make it so, and leave the answer beside the network.
package diagnose
