package graph

import (
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

func TestScope(t *testing.T) {
	entry := func(k, v string) []byte {
		b := protowire.AppendTag(nil, 1, protowire.BytesType)
		b = protowire.AppendString(b, k)
		b = protowire.AppendTag(b, 2, protowire.BytesType)
		return protowire.AppendString(b, v)
	}
	node := func(k, v string) *Node {
		b := protowire.AppendTag(nil, 8, protowire.BytesType) // overload
		b = protowire.AppendString(b, "x")
		b = protowire.AppendTag(b, 9, protowire.BytesType)
		return &Node{Unknown: protowire.AppendBytes(b, entry(k, v))}
	}
	for _, c := range []struct {
		n    *Node
		want string
	}{
		{&Node{}, ""},
		{node("namespace", ": Net/layer.0: Block/layer.0.query: Linear/linear: aten.linear"), "layer.0.query"},
		{node("namespace", "relu: aten.relu"), ""},
		{node("other", "a: b/c: d"), ""},
		{&Node{Unknown: []byte{0x4a, 0xff, 0xff}}, ""},
	} {
		if s := c.n.Scope(); s != c.want {
			t.Errorf("scope %q, want %q", s, c.want)
		}
	}
}
