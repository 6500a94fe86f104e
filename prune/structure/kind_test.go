package structure_test

import (
	"slices"
	"testing"

	"pare/prune/structure"
	"pare/zoo"
)

// Groups of networks with attention have the names that users know them by; others are
// channels.
func TestKinds(t *testing.T) {
	for _, c := range []struct {
		name string
		o    zoo.Options
		want []structure.Kind // of the first three
	}{
		{"vit-tiny", zoo.Options{In: []int{3, 8, 8}}, []structure.Kind{structure.Embedding, structure.Heads, structure.FeedForward}},
		{"gpt-tiny", zoo.Options{In: []int{6}, Classes: 11}, []structure.Kind{structure.Embedding, structure.Heads, structure.FeedForward}},
		{"bert-2-48-3", zoo.Options{In: []int{6}, Classes: 11}, []structure.Kind{structure.Heads, structure.FeedForward, structure.Heads}},
		{"resnet8", zoo.Options{In: []int{1, 8, 8}}, []structure.Kind{structure.Plain, structure.Plain, structure.Plain}},
		{"mlp:64-20-10-10", zoo.Options{}, []structure.Kind{structure.Plain, structure.Plain}},
	} {
		g, err := zoo.New(c.name, c.o)
		if err != nil {
			t.Fatal(err)
		}
		groups, _ := structure.Groups(g)
		got := structure.Kinds(g, groups)
		if len(got) < len(c.want) || !slices.Equal(got[:len(c.want)], c.want) {
			t.Errorf("%s: %v, want %v first", c.name, got, c.want)
		}
	}
}
