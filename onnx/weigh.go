package onnx

import (
	"errors"
	"fmt"
	"reflect"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// mostStructure bounds the memory that the structure of a message (all but its
// strings and raw bytes) may take. An empty message takes two bytes of a file
// and hundreds once it is read, so it is weighed before. The structure of a
// network with a thousand nodes takes about half a megabyte, and once more as a
// graph.
func mostStructure(file int) int { return 32<<20 + file }

// maxMessages bounds how deep messages are nested: a subgraph is
// three below the one around it.
const maxMessages = 3*maxDepth + 16

// unmarshal reads a message whose structure takes at most the given bytes.
func unmarshal(b []byte, m proto.Message, most int) error {
	w := weigher{left: most}
	if err := w.message(b, kindOfMessage(m.ProtoReflect().Descriptor()), 0); err != nil {
		return err
	}
	if w.left < 0 {
		return fmt.Errorf("its structure would take more than %d bytes of memory, too much for a file of this size", most)
	}
	return proto.UnmarshalOptions{RecursionLimit: maxMessages + 1}.Unmarshal(b, m)
}

// kind is what a message's fields weigh.
type kind struct {
	desc   protoreflect.MessageDescriptor
	size   int           // of the Go struct
	fields map[int]field // by number
}

type field struct {
	sub    protoreflect.MessageDescriptor // of a message
	each   int                            // bytes for each element of a repeated field
	varint bool                           // elements are varints, which may be packed
}

var kinds sync.Map // kind by name of the message

func kindOfMessage(d protoreflect.MessageDescriptor) *kind {
	if k, ok := kinds.Load(d.FullName()); ok {
		return k.(*kind)
	}
	k := &kind{desc: d, fields: map[int]field{}}
	if t, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName()); err == nil {
		k.size = int(reflect.TypeOf(t.Zero().Interface()).Elem().Size())
	}
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		x := field{sub: f.Message()}
		switch f.Kind() {
		case protoreflect.StringKind:
			x.each = 16
		case protoreflect.BytesKind:
			x.each = 24
		case protoreflect.MessageKind:
			x.each = 8
		case protoreflect.Int32Kind, protoreflect.EnumKind:
			x.each, x.varint = 4, true
		case protoreflect.Int64Kind, protoreflect.Uint64Kind:
			x.each, x.varint = 8, true
		default:
			x.each = 8
		}
		k.fields[int(f.Number())] = x
	}
	kinds.Store(d.FullName(), k)
	return k
}

// weigher walks over the wire format and takes what it meets off what is left.
type weigher struct{ left int }

var errDamaged = errors.New("its fields are cut short")

func (w *weigher) message(b []byte, k *kind, depth int) error {
	if depth > maxMessages {
		return fmt.Errorf("messages are nested more than %d deep", maxMessages)
	}
	w.left -= k.size
	for len(b) > 0 && w.left >= 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return errDamaged
		}
		b = b[n:]
		f := k.fields[int(num)]
		w.left -= f.each
		if typ != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
				return errDamaged
			}
			b = b[n:]
			continue
		}
		v, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return errDamaged
		}
		b = b[n:]
		switch {
		case f.sub != nil:
			if err := w.message(v, kindOfMessage(f.sub), depth+1); err != nil {
				return err
			}
		case f.varint:
			for _, x := range v { // the last byte of a varint has no top bit
				if x < 0x80 {
					w.left -= f.each
				}
			}
		}
	}
	return nil
}
