package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sort"
	"strconv"
	"unicode/utf8"

	"pare/tensor"
)

// maxRank bounds the dimensions of a tensor.
const maxRank = 64

// entry is what the header says of a tensor: begin and end count from the end of the
// header.
type entry struct {
	Info
	begin, end int
}

// headerSize is the length of the header that a file of size bytes begins with.
func headerSize(first []byte, size int) (int, error) {
	if size < 8 {
		return 0, errors.New("not a safetensors file: it is shorter than 8 bytes")
	}
	n := binary.LittleEndian.Uint64(first)
	if n > maxHeader || n > uint64(size-8) {
		return 0, fmt.Errorf("not a safetensors file, or cut short: a header of %d bytes in a file of %d", n, size)
	}
	return int(n), nil
}

// layout reads the header of a file with data bytes behind it: the tensors in the order of
// their data, and the metadata. Like the format's reference it refuses names given twice,
// bytes that belong to no tensor or to two, and a header of more than 100 MB.
func layout(head []byte, data int) ([]entry, map[string]string, error) {
	if len(head) == 0 || head[0] != '{' {
		return nil, nil, errors.New("not a safetensors file: its header is not a JSON object")
	}
	entries, meta, err := header(head)
	if err != nil {
		return nil, nil, fmt.Errorf("the header of the safetensors file: %w", err)
	}
	sort.SliceStable(entries, func(i, j int) bool {
		a, b := entries[i], entries[j]
		return a.begin < b.begin || a.begin == b.begin && a.end < b.end
	})
	at := 0
	for _, e := range entries {
		size, ok := tensor.Size(e.Shape)
		if !ok || size > data/e.DType.Size() || e.end-e.begin != size*e.DType.Size() {
			return nil, nil, fmt.Errorf("tensor %q of type %v and shape %v cannot have %d bytes of %d", e.Name, e.DType, e.Shape, e.end-e.begin, data)
		}
		if e.begin != at {
			return nil, nil, fmt.Errorf("tensor %q begins at byte %d of the data, where %d is next: there is a gap or an overlap", e.Name, e.begin, at)
		}
		at = e.end
	}
	if at != data {
		return nil, nil, fmt.Errorf("the tensors take %d bytes, the file has %d: it is cut short or too long", at, data)
	}
	return entries, meta, nil
}

// scanner reads JSON token by token: what it holds is refused before it is kept.
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
		e := entry{Info: Info{Name: name}, begin: -1}
		if err := s.entry(&e); err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		entries = append(entries, e)
		return nil
	})
	if err == nil {
		err = s.end()
	}
	if err != nil {
		return nil, nil, err
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
			if e.DType, ok = types[name]; !ok {
				return fmt.Errorf("elements of type %q are not supported", name)
			}
			return nil
		case "shape":
			shape, err := s.sizes(maxRank)
			e.Shape = shape
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
	if err == nil && (e.DType == tensor.Undefined || e.Shape == nil || e.begin < 0 || e.end < e.begin) {
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

// end makes sure that nothing but blanks follows.
func (s scanner) end() error {
	if _, err := s.Token(); err != io.EOF {
		return errors.New("something follows it that is not blank")
	}
	return nil
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

// encodeHeader writes the length and the header of a file whose data are the tensors one
// after another, in their order, and gives where the data of each begin, from the start of
// the file, and where the last end.
func encodeHeader(tensors []Info, meta map[string]string) (head []byte, at []int, err error) {
	type place struct {
		DType   string `json:"dtype"`
		Shape   []int  `json:"shape"`
		Offsets [2]int `json:"data_offsets"`
	}
	entries := map[string]any{}
	if len(meta) > 0 {
		entries[metadata] = meta
	}
	at = []int{0}
	for i, x := range tensors {
		if !utf8.ValidString(x.Name) {
			return nil, nil, fmt.Errorf("the name %q is not UTF-8, which the format demands", x.Name)
		}
		if entries[x.Name] != nil || x.Name == metadata {
			return nil, nil, fmt.Errorf("the name %q is reserved, or given twice", x.Name)
		}
		d := nameOf(x.DType)
		if d == "" {
			return nil, nil, fmt.Errorf("tensor %q holds %v, which the format lacks", x.Name, x.DType)
		}
		n, err := x.bytes()
		if err == nil && n > math.MaxInt/2-at[i] {
			err = fmt.Errorf("with tensor %q the file is too large", x.Name)
		}
		if err != nil {
			return nil, nil, err
		}
		entries[x.Name] = place{d, append([]int{}, x.Shape...), [2]int{at[i], at[i] + n}}
		at = append(at, at[i]+n)
	}
	h, err := json.Marshal(entries)
	if err != nil {
		return nil, nil, err
	}
	for len(h)%8 != 0 { // the data begin at a multiple of 8
		h = append(h, ' ')
	}
	if len(h) > maxHeader {
		return nil, nil, fmt.Errorf("a header of %d bytes is more than the format's %d", len(h), maxHeader)
	}
	for i := range at {
		at[i] += 8 + len(h)
	}
	return slices.Concat(binary.LittleEndian.AppendUint64(nil, uint64(len(h))), h), at, nil
}

func nameOf(d tensor.DType) string {
	for name, x := range types {
		if x == d {
			return name
		}
	}
	return ""
}
