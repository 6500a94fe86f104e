// Package structured holds methods that remove channels, filters, heads, experts or layers, so
// that a smaller dense network is left.
package structured
