// Package search holds methods that search for the architecture of a smaller network.
package search
