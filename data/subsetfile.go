package data

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"pare/npy"
	"pare/tensor"
)

// ReadSubset reads a file of the samples that stay.
func ReadSubset(path string) (*Subset, error) {
	b, err := contents(path)
	if err != nil {
		return nil, err
	}
	s, err := parseSubset(b, strings.ToLower(filepath.Ext(path)))
	if err != nil {
		return nil, fmt.Errorf("subset %s: %w", path, err)
	}
	return s, nil
}

func parseSubset(b []byte, ext string) (*Subset, error) {
	s := &struct {
		Subset
		Score string `json:"score"` // it would be a file of scores
	}{}
	var err error
	add := func(text string) error {
		k, err := strconv.ParseInt(text, 10, 32)
		if err != nil || k < 0 {
			return fmt.Errorf("%.40q is no number of a sample", text)
		}
		s.Numbers = append(s.Numbers, int32(k))
		return nil
	}
	switch ext {
	case ".txt", ".csv":
		if b, err = described(b, s); err != nil {
			return nil, err
		}
		err = eachLine(b, func(_ int, line []byte) error {
			text, _, _ := strings.Cut(string(line), ",")
			if ext == ".csv" && text == "id" && len(s.Numbers) == 0 {
				return nil
			}
			return add(text)
		})
	case ".jsonl":
		err = eachLine(b, func(n int, line []byte) error {
			x, err := parseLine(n, line, s)
			if x == nil {
				return err
			}
			return add(strconv.Itoa(int(*x.ID)))
		})
	case ".npy":
		t, e := npy.Decode(b)
		if e != nil {
			return nil, e
		}
		if len(t.Shape) != 1 || t.DType.IsFloat() || t.DType == tensor.Bool {
			return nil, fmt.Errorf("an array %v of %v: a subset is whole numbers", t.Shape, t.DType)
		}
		numbers, e := t.Int64s()
		if e != nil {
			return nil, e
		}
		for _, v := range numbers {
			if err = add(strconv.FormatInt(v, 10)); err != nil {
				break
			}
		}
	default:
		err = fmt.Errorf("it ends in %q: a subset is %s", ext, strings.Join(Files, ", "))
	}
	if err != nil {
		return nil, err
	}
	if s.Score != "" {
		return nil, fmt.Errorf("it is a file of scores (%.40s): choose samples by them first", s.Score)
	}
	return &s.Subset, s.settle()
}

// settle sorts the samples that were read, and returns an error where the file says
// something impossible.
func (s *Subset) settle() error {
	for i, c := range s.Classes {
		if c < 0 || i > 0 && c <= s.Classes[i-1] {
			return fmt.Errorf("its classes %v do not rise from 0 or more", s.Classes[:i+1])
		}
	}
	slices.Sort(s.Numbers)
	for i := range s.Numbers {
		if i > 0 && s.Numbers[i] == s.Numbers[i-1] {
			return fmt.Errorf("sample %d is there twice", s.Numbers[i])
		}
	}
	if len(s.Numbers) == 0 {
		return errors.New("it has no samples")
	}
	return nil
}

// Encode writes the subset as a file of an ending has it (see Files).
func (s *Subset) Encode(ext string) ([]byte, error) {
	about, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	form := "%d\n"
	switch strings.ToLower(ext) {
	case ".txt":
		fmt.Fprintf(&out, "#%s\n", about)
	case ".csv":
		fmt.Fprintf(&out, "#%s\nid\n", about)
	case ".jsonl":
		fmt.Fprintf(&out, "%s\n", about)
		form = "{\"id\":%d}\n"
	case ".npy":
		t := tensor.New(tensor.Int64, len(s.Numbers))
		for i, k := range s.Numbers {
			tensor.Of[int64](t)[i] = int64(k)
		}
		return npy.Encode(t)
	default:
		return nil, fmt.Errorf("a subset ends in %s, not in %q", strings.Join(Files, ", "), ext)
	}
	for _, k := range s.Numbers {
		fmt.Fprintf(&out, form, k)
	}
	return out.Bytes(), nil
}
