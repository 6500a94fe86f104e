// Package advise measures a network and recommends how to prune it: a Study holds what
// was measured, the Rules turn it into commands, each with the number of this network
// that it rests on, its reason and its source.
package advise
