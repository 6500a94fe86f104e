package run

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"pare/graph"
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

// Digest identifies the numbers of a network: 16 hexadecimal digits.
func Digest(g *graph.Graph) string {
	h := sha256.New()
	for _, v := range g.Consts() {
		fmt.Fprintf(h, "%s%v", v.Name, v.Const.Shape)
		if x := v.Const.F32(); x != nil {
			binary.Write(h, binary.LittleEndian, x) //nolint:errcheck // a hash does not fail
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}
