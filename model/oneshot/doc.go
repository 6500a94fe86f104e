// Package oneshot holds methods that cut a trained network at once, or in a few
// rounds, and fine-tune what is left.
package oneshot
