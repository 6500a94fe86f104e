package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sort"
	"strconv"

	"pare/tensor"
)

// maxRank bounds the dimensions of a tensor.
const maxRank = 64

// entry is what the header says of a tensor.
type entry struct {
	name       string
	dtype      tensor.DType
	shape      []int
	begin, end int
}

// Decode reads a file from memory; the tensors are copies. Like the format's
// reference it refuses names given twice, bytes that belong to no tensor or to
// two, and a header of more than 100 MB.
func Decode(b []byte) (*File, error) {
	if len(b) < 8 {
		return nil, errors.New("not a safetensors file: it is shorter than 8 bytes")
	}
	n := binary.LittleEndian.Uint64(b)
	if n > maxHeader || n > uint64(len(b)-8) {
		return nil, fmt.Errorf("not a safetensors file, or cut short: a header of %d bytes in a file of %d", n, len(b))
	}
	head, data := b[8:8+n], b[8+n:]
	if len(head) == 0 || head[0] != '{' {
		return nil, errors.New("not a safetensors file: its header is not a JSON object")
	}
	entries, meta, err := header(head)
	if err != nil {
		return nil, fmt.Errorf("the header of the safetensors file: %w", err)
	}
	sort.SliceStable(entries, func(i, j int) bool {
		a, b := entries[i], entries[j]
		return a.begin < b.begin || a.begin == b.begin && a.end < b.end
	})
	at := 0
	for _, e := range entries {
		size, ok := tensor.Size(e.shape)
		if !ok || size > len(data)/e.dtype.Size() || e.end-e.begin != size*e.dtype.Size() {
			return nil, fmt.Errorf("tensor %q of type %v and shape %v cannot have %d bytes of %d", e.name, e.dtype, e.shape, e.end-e.begin, len(data))
		}
		if e.begin != at {
			return nil, fmt.Errorf("tensor %q begins at byte %d of the data, where %d is next: there is a gap or an overlap", e.name, e.begin, at)
		}
		at = e.end
	}
	if at != len(data) {
		return nil, fmt.Errorf("the tensors take %d bytes, the file has %d: it is cut short or too long", at, len(data))
	}
	f := &File{Tensors: make(map[string]*tensor.Tensor, len(entries)), Meta: meta}
	for _, e := range entries {
		t, err := tensor.FromRaw(data[e.begin:e.end], e.dtype, e.shape...)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", e.name, err)
		}
		f.Names = append(f.Names, e.name)
		f.Tensors[e.name] = t
	}
	return f, nil
}

// scanner reads the header token by token: what it holds is refused before it
// is kept.
type scanner struct{ *json.Decoder }

// header reads the JSON object.
func header(b []byte) (entries []entry, meta map[string]string, err error) {
	s := scanner{json.NewDecoder(bytes.NewReader(b))}
	s.UseNumber()
	names := map[string]bool{}
	err = s.object(func(name string) error {
		if names[name] {
			return fmt.Errorf("the name %q is given twice", name)
		}
		names[name] = true
		if name == metadata {
			meta = map[string]string{}
			return s.object(func(key string) error {
				v, err := s.text()
				meta[key] = v
				return err
			})
		}
		e := entry{name: name, begin: -1}
		if err := s.entry(&e); err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		entries = append(entries, e)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	if _, err := s.Token(); err != io.EOF {
		return nil, nil, errors.New("something follows it that is not blank")
	}
	return entries, meta, nil
}

// entry reads type, shape and offsets.
func (s scanner) entry(e *entry) error {
	err := s.object(func(key string) error {
		switch key {
		case "dtype":
			name, err := s.text()
			if err != nil {
				return err
			}
			var ok bool
			if e.dtype, ok = types[name]; !ok {
				return fmt.Errorf("elements of type %q are not supported", name)
			}
			return nil
		case "shape":
			shape, err := s.sizes(maxRank)
			e.shape = shape
			return err
		case "data_offsets":
			at, err := s.sizes(2)
			if err == nil && len(at) != 2 {
				err = fmt.Errorf("%d data_offsets", len(at))
			}
			if err == nil {
				e.begin, e.end = at[0], at[1]
			}
			return err
		}
		return fmt.Errorf("%q is not part of the format", key)
	})
	if err == nil && (e.dtype == tensor.Undefined || e.shape == nil || e.begin < 0 || e.end < e.begin) {
		err = errors.New("dtype, shape and data_offsets are needed, and the data must not end before it begins")
	}
	return err
}

func (s scanner) expect(d json.Delim) error {
	t, err := s.Token()
	if err == nil && t != d {
		err = fmt.Errorf("%v in the place of %v", t, d)
	}
	return err
}

// object reads an object; f reads the value of each key.
func (s scanner) object(f func(key string) error) error {
	if err := s.expect('{'); err != nil {
		return err
	}
	for s.More() {
		key, err := s.text()
		if err != nil {
			return err
		}
		if err := f(key); err != nil {
			return err
		}
	}
	return s.expect('}')
}

func (s scanner) text() (string, error) {
	t, err := s.Token()
	if err != nil {
		return "", err
	}
	v, ok := t.(string)
	if !ok {
		return "", fmt.Errorf("%v in the place of a string", t)
	}
	return v, nil
}

// sizes reads a list of at most most whole numbers that are not negative.
func (s scanner) sizes(most int) ([]int, error) {
	if err := s.expect('['); err != nil {
		return nil, err
	}
	out := []int{}
	for s.More() {
		t, err := s.Token()
		if err != nil {
			return nil, err
		}
		v, ok := t.(json.Number)
		if !ok {
			return nil, fmt.Errorf("%v in the place of a number", t)
		}
		k, err := strconv.Atoi(v.String())
		if err != nil || k < 0 {
			return nil, fmt.Errorf("%v is not a size", v)
		}
		if len(out) == most {
			return nil, fmt.Errorf("more than %d numbers in a list", most)
		}
		out = append(out, k)
	}
	return out, s.expect(']')
}
