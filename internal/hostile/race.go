//go:build race

package hostile

// slower is how much longer everything takes under the race detector.
const slower = 10
