// Package tickets holds methods that train, cut, put the weights that are left back to
// where they were early in training, and repeat.
package tickets
