package graph

import (
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// Scope is the module of the framework's model that a node comes from, such as
// "encoder.layer.0.attention.self.query", where its exporter left it in the
// node's metadata (PyTorch writes "name: class/name: class/..." as namespace,
// the operation last); else "".
func (n *Node) Scope() string {
	const metadata, key, value = 9, 1, 2 // fields of NodeProto and of its entries
	var found string
	fields(n.Unknown, func(f protowire.Number, entry []byte) {
		if f != metadata {
			return
		}
		var k, v string
		fields(entry, func(f protowire.Number, b []byte) {
			switch f {
			case key:
				k = string(b)
			case value:
				v = string(b)
			}
		})
		if k == "namespace" {
			found = v
		}
	})
	parts := strings.Split(found, "/")
	if len(parts) < 2 {
		return ""
	}
	name, _, _ := strings.Cut(parts[len(parts)-2], ": ")
	return name
}

// fields calls f for every field of bytes in a message of the wire format, up
// to the first that is broken.
func fields(b []byte, f func(protowire.Number, []byte)) {
	for len(b) > 0 {
		num, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return
		}
		b = b[n:]
		if kind == protowire.BytesType {
			v, n := protowire.ConsumeBytes(b)
			if n < 0 {
				return
			}
			f(num, v)
			b = b[n:]
			continue
		}
		if n = protowire.ConsumeFieldValue(num, kind, b); n < 0 {
			return
		}
		b = b[n:]
	}
}
