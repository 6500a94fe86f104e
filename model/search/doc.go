// Package search holds methods that search for a smaller network: how wide its layers are,
// how deep its stages, which of its branches stay.
package search
