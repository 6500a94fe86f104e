package onnx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"pare/graph"
	"pare/internal/mapped"
	"pare/onnx/onnxpb"

	"google.golang.org/protobuf/encoding/protowire"
)

// Load reads a model file of either form: ONNX, whose external data is looked for
// in its folder, or Pare's sparse form.
func Load(path string) (*graph.Graph, error) { return LoadContext(context.Background(), path) }

// LoadContext is Load that the end of the context ends.
func LoadContext(ctx context.Context, path string) (*graph.Graph, error) {
	return load(ctx, path, nil)
}

// Map is LoadContext for a network that is run, not changed: the contents of its large
// weights stay in the file, and in those of its external data, and are seen through the
// memory's map where they can be used as they lie. They are read from the disk when they
// are used, are not held twice by programs that run the same file, and what is written to
// them stays in this process. Close ends the map: nothing that was made of the graph may
// be used afterwards. Where a file is written to by another program, rather than replaced,
// the weights change, and where it is cut short the process ends. A file in the sparse
// form is read as LoadContext does.
func Map(ctx context.Context, path string) (*graph.Graph, io.Closer, error) {
	m := &maps{}
	g, err := load(ctx, path, m)
	if err != nil {
		m.Close()
		return nil, nil, err
	}
	return g, m, nil
}

// maps are files whose contents a graph uses as they lie.
type maps struct {
	lock  sync.Mutex
	files []*mapped.File
	by    map[*external]*mapped.File // of external data
}

// Close ends the maps.
func (m *maps) Close() error {
	m.lock.Lock()
	defer m.lock.Unlock()
	var errs []error
	for _, f := range m.files {
		errs = append(errs, f.Close())
	}
	m.files, m.by = nil, nil
	return errors.Join(errs...)
}

// of maps a file that is open, or else closes it.
func (m *maps) of(f *os.File) (*mapped.File, error) {
	x, err := mapped.Of(f)
	if err == nil {
		m.files = append(m.files, x)
	}
	return x, err
}

// load is LoadContext, or Map where there are maps.
func load(ctx context.Context, path string, m *maps) (*graph.Graph, error) {
	st, err := os.Stat(path) // before it is opened: a pipe would wait for a writer
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, notRegular(path, st.Mode())
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	var body io.ReaderAt = f
	if m == nil {
		defer f.Close()
	} else if body, err = m.of(f); err != nil {
		return nil, err
	}
	head := make([]byte, 512)
	n, err := body.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return nil, err
	}
	head = head[:n]
	var g *graph.Graph
	if bytes.HasPrefix(head, []byte(sparseMagic)) {
		var b []byte
		if b, err = io.ReadAll(source{ctx, io.NewSectionReader(body, 0, st.Size())}); err == nil {
			g, err = DecodeSparse(b)
		}
	} else {
		g, err = decodeFile(ctx, body, st.Size(), m, path)
	}
	switch what := foreign(path, head); {
	case err == nil:
		return g, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case what != "":
		return nil, fmt.Errorf("%s %s", path, what)
	}
	return nil, fmt.Errorf("%s: %w", path, err)
}

// source is a reader that ends with its context.
type source struct {
	ctx context.Context
	r   io.Reader
}

func (s source) Read(b []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.r.Read(b)
}

// decodeFile reads a model whose weights are taken from the file, one after another, once
// all the rest is known to be good.
func decodeFile(ctx context.Context, f io.ReaderAt, size int64, maps *maps, path string) (*graph.Graph, error) {
	if size > 1<<40 {
		return nil, errors.New("it is too large")
	}
	m := &onnxpb.ModelProto{}
	spans, err := outline(ctx, f, size, m)
	if err != nil {
		return nil, fmt.Errorf("not an ONNX file, or a damaged one: %w", err)
	}
	r := &reader{dir: filepath.Dir(path), path: path, maps: maps, spread: mostSpread(int(size)), written: mostStructure(int(size)), ctx: ctx, body: f, inside: map[*onnxpb.TensorProto]span{}}
	for i, s := range spans {
		if s.n > 0 {
			r.inside[m.Graph.Initializer[i]] = s
		}
	}
	return r.model(m)
}

// span is a piece of a file.
type span struct{ off, n int64 }

// outline reads a model's message without the contents of its large initialisers, and
// says where these are: for each initialiser, n is 0 where the message holds it all.
func outline(ctx context.Context, f io.ReaderAt, size int64, m *onnxpb.ModelProto) ([]span, error) {
	s := &stripper{f: f, ctx: ctx, win: make([]byte, 0, 1<<16)}
	b, err := s.model(size)
	if err != nil {
		return nil, err
	}
	if err := unmarshal(b, m, mostStructure(int(size))); err != nil {
		return nil, err
	}
	if len(m.GetGraph().GetInitializer()) != len(s.spans) {
		return nil, errDamaged
	}
	return s.spans, nil
}

// stripper copies a model's bytes without the contents of large initialisers.
type stripper struct {
	f     io.ReaderAt
	ctx   context.Context
	win   []byte // bytes of the file from start on
	start int64
	at    int64
	spans []span
}

// heavy is the size of an initialiser's contents from which they stay in the file.
const heavy = 1 << 12

func (s *stripper) model(size int64) ([]byte, error) {
	var out []byte
	err := s.fields(size, &out, func(num protowire.Number, end int64) (bool, error) {
		if num != modelGraph {
			return false, nil
		}
		var g []byte
		if err := s.fields(end, &g, s.initialiser(&g)); err != nil {
			return false, err
		}
		out = protowire.AppendBytes(protowire.AppendTag(out, num, protowire.BytesType), g)
		return true, nil
	})
	return out, err
}

// initialiser gives what copies an initialiser of a graph to out.
func (s *stripper) initialiser(out *[]byte) func(protowire.Number, int64) (bool, error) {
	return func(num protowire.Number, end int64) (bool, error) {
		if num != graphInitializer {
			return false, nil
		}
		var t []byte
		var at span
		err := s.fields(end, &t, func(num protowire.Number, end int64) (bool, error) {
			n := end - s.at
			if num != tensorRaw || n < heavy {
				return false, nil
			}
			if at.n > 0 {
				return false, errors.New("a tensor has its contents twice")
			}
			at, s.at = span{s.at, n}, end
			return true, nil
		})
		if err != nil {
			return false, err
		}
		s.spans = append(s.spans, at)
		*out = protowire.AppendBytes(protowire.AppendTag(*out, num, protowire.BytesType), t)
		return true, nil
	}
}

// fields copies the fields up to end to out, but those of bytes that take takes.
func (s *stripper) fields(end int64, out *[]byte, take func(num protowire.Number, end int64) (bool, error)) error {
	for s.at < end {
		b, err := s.peek(2 * binaryMax)
		if err != nil {
			return err
		}
		b = b[:min(int64(len(b)), end-s.at)]
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return errDamaged
		}
		if typ != protowire.BytesType {
			k := protowire.ConsumeFieldValue(num, typ, b[n:])
			if k < 0 {
				return errDamaged
			}
			*out = append(*out, b[:n+k]...)
			s.at += int64(n + k)
			continue
		}
		size, k := protowire.ConsumeVarint(b[n:])
		if k < 0 || size > uint64(end-s.at)-uint64(n+k) {
			return errDamaged
		}
		tag := append([]byte{}, b[:n+k]...)
		s.at += int64(n + k)
		to := s.at + int64(size)
		if ok, err := take(num, to); err != nil {
			return err
		} else if ok {
			if s.at != to {
				return errDamaged
			}
			continue
		}
		*out = append(*out, tag...)
		for s.at < to {
			b, err := s.peek(1)
			if err != nil {
				return err
			}
			b = b[:min(int64(len(b)), to-s.at)]
			*out = append(*out, b...)
			s.at += int64(len(b))
		}
	}
	return nil
}

// binaryMax is the longest varint.
const binaryMax = 10

// peek gives at least n bytes from the present place on, fewer only at the file's end.
func (s *stripper) peek(n int) ([]byte, error) {
	if off := s.at - s.start; off >= 0 && off+int64(n) <= int64(len(s.win)) {
		return s.win[off:], nil
	}
	if err := s.ctx.Err(); err != nil {
		return nil, err
	}
	s.start = s.at
	k, err := s.f.ReadAt(s.win[:cap(s.win)], s.at)
	if s.win = s.win[:k]; k == 0 {
		if err == nil || err == io.EOF {
			err = errDamaged
		}
		return nil, err
	}
	return s.win, nil
}
