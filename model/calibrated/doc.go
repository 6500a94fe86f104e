// Package calibrated holds methods that cut a trained network at once, by what goes into
// its layers while samples run through it. The samples need no labels.
package calibrated
