// Package rewrite holds methods that rewrite a network's weights as something smaller:
// shared arrays, factors.
package rewrite
