// Package structured holds methods that remove channels, filters, heads or layers, so
// that a smaller dense network is left.
package structured
