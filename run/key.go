package run

import (
	"fmt"
	"maps"
	"slices"
)

// Key is the facts that decide what a run does, a line each: a checkpoint of other
// facts is not continued.
type Key []string

// Add notes a fact.
func (k *Key) Add(name string, value any) { *k = append(*k, fmt.Sprintf("%s=%v", name, value)) }

// AddAll notes facts in the order of their names.
func (k *Key) AddAll(values map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		k.Add(name, values[name])
	}
}
