package data

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"pare/npy"
	"pare/tensor"
)

// Files are the endings that scores and subsets are written with: a number a line after
// one of JSON behind "#" (.txt, subsets alone), a table (.csv, its first line the same),
// JSON lines, the first of which says what it is, and an array of NumPy, which says
// nothing beside its numbers.
var Files = []string{".csv", ".jsonl", ".npy", ".txt"}

const (
	mostFile = 4 << 30
	mostLine = 16 << 20
)

// contents reads a file.
func contents(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() || st.Size() > mostFile {
		return nil, fmt.Errorf("%s is not a file of at most %d bytes", path, int64(mostFile))
	}
	return io.ReadAll(io.LimitReader(f, mostFile))
}

// ReadScore reads a file of scores. One without its own description (an array, or a table
// that others wrote) has the name of its column or file; the caller says which end is hard.
func ReadScore(path string) (*Score, error) {
	b, err := contents(path)
	if err != nil {
		return nil, err
	}
	s, err := parseScore(b, strings.ToLower(filepath.Ext(path)))
	if err != nil {
		return nil, fmt.Errorf("scores %s: %w", path, err)
	}
	if s.Name == "" {
		s.Name = strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	}
	return s, nil
}

func parseScore(b []byte, ext string) (*Score, error) {
	s := &Score{}
	var err error
	switch ext {
	case ".csv":
		err = s.parseCSV(b)
	case ".jsonl":
		err = s.parseLines(b)
	case ".npy":
		err = s.parseArray(b)
	default:
		return nil, fmt.Errorf("it ends in %q: scores are .csv, .jsonl or .npy", ext)
	}
	if err != nil {
		return nil, err
	}
	if s.Hard == "" { // said by the caller
		c := *s
		c.Hard = High
		return s, c.Check()
	}
	return s, s.Check()
}

// described takes the description off, where there is one behind "#".
func described(b []byte, to any) ([]byte, error) {
	if !bytes.HasPrefix(b, []byte("#")) {
		return b, nil
	}
	line, rest, _ := bytes.Cut(b, []byte("\n"))
	if err := json.Unmarshal(line[1:], to); err != nil {
		return nil, fmt.Errorf("the first line is no description: %w", err)
	}
	return rest, nil
}

func (s *Score) parseCSV(b []byte) error {
	b, err := described(b, s)
	if err != nil {
		return err
	}
	r := csv.NewReader(bytes.NewReader(b))
	r.ReuseRecord = true
	head, err := r.Read()
	if err != nil {
		return fmt.Errorf("there is no line of column names: %w", err)
	}
	at := map[string]int{}
	value := -1
	for i, name := range head {
		if _, twice := at[name]; twice {
			return fmt.Errorf("column %q is there twice", name)
		}
		if at[name] = i; name != "id" && name != "never" && name != "cluster" && (value < 0 || name == s.Name) {
			value = i
		}
	}
	id, ok := at["id"]
	if !ok || value < 0 {
		return errors.New("it has no column id, or none of values")
	}
	if s.Name == "" {
		s.Name = strings.Clone(head[value])
	}
	never, hasNever := at["never"]
	cluster, hasCluster := at["cluster"]
	for {
		row, err := r.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		line, _ := r.FieldPos(0)
		k, err := strconv.ParseInt(row[id], 10, 32)
		if err != nil {
			return fmt.Errorf("line %d: id %q is not a whole number", line, row[id])
		}
		v, err := strconv.ParseFloat(row[value], 64)
		if err != nil {
			return fmt.Errorf("line %d: value %q is not a number", line, row[value])
		}
		s.Numbers, s.Values = append(s.Numbers, int32(k)), append(s.Values, v)
		if hasNever {
			s.Never = append(s.Never, row[never] == "1" || row[never] == "true")
		}
		if hasCluster {
			c, err := strconv.ParseInt(row[cluster], 10, 32)
			if err != nil || c < 0 {
				return fmt.Errorf("line %d: cluster %q is not a whole number", line, row[cluster])
			}
			s.Cluster = append(s.Cluster, int32(c))
		}
	}
}

// scoreLine is a sample in JSON lines. The value of one that was never learnt is not
// written.
type scoreLine struct {
	ID      *int32   `json:"id"`
	Value   *float64 `json:"value,omitempty"`
	Never   bool     `json:"never,omitempty"`
	Cluster *int32   `json:"cluster,omitempty"`
}

// eachLine gives f every line that is not empty.
func eachLine(b []byte, f func(n int, line []byte) error) error {
	r := bufio.NewScanner(bytes.NewReader(b))
	r.Buffer(nil, mostLine)
	for n := 1; r.Scan(); n++ {
		if line := bytes.TrimSpace(r.Bytes()); len(line) > 0 {
			if err := f(n, line); err != nil {
				return fmt.Errorf("line %d: %w", n, err)
			}
		}
	}
	return r.Err()
}

// parseLine reads line n of a file. The first may have no id: it goes into about, and there is
// no line then.
func parseLine(n int, line []byte, about any) (*scoreLine, error) {
	x := &scoreLine{}
	if err := json.Unmarshal(line, x); err != nil {
		return nil, err
	}
	switch {
	case x.ID != nil:
		return x, nil
	case n == 1:
		return nil, json.Unmarshal(line, about)
	}
	return nil, errors.New("it has no id")
}

func (s *Score) parseLines(b []byte) error {
	clusters := 0
	err := eachLine(b, func(n int, line []byte) error {
		x, err := parseLine(n, line, s)
		if x == nil {
			return err
		}
		v := math.Inf(1)
		if x.Value != nil {
			v = *x.Value
		} else if !x.Never {
			return errors.New("it has no value")
		}
		s.Numbers, s.Values, s.Never = append(s.Numbers, *x.ID), append(s.Values, v), append(s.Never, x.Never)
		if x.Cluster != nil {
			clusters++
			s.Cluster = append(s.Cluster, *x.Cluster)
		}
		return nil
	})
	if err == nil && clusters > 0 && clusters != len(s.Values) {
		err = fmt.Errorf("%d of %d samples have a cluster", clusters, len(s.Values))
	}
	if !slices.Contains(s.Never, true) {
		s.Never = nil
	}
	return err
}

func (s *Score) parseArray(b []byte) error {
	t, err := npy.Decode(b)
	if err != nil {
		return err
	}
	if len(t.Shape) != 1 || !t.DType.IsFloat() {
		return fmt.Errorf("an array %v of %v: scores are numbers with a point, one for each sample", t.Shape, t.DType)
	}
	if s.Values, err = t.Float64s(); err != nil {
		return err
	}
	for i := range s.Values {
		s.Numbers = append(s.Numbers, int32(i))
	}
	return nil
}

// Encode writes the score as a file of an ending has it (see Files).
func (s *Score) Encode(ext string) ([]byte, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	about, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	switch strings.ToLower(ext) {
	case ".csv":
		fmt.Fprintf(&out, "#%s\nid,%s", about, s.Name)
		if s.Never != nil {
			out.WriteString(",never")
		}
		if s.Cluster != nil {
			out.WriteString(",cluster")
		}
		for i, v := range s.Values {
			fmt.Fprintf(&out, "\n%d,%s", s.Numbers[i], strconv.FormatFloat(v, 'g', -1, 64))
			if s.Never != nil {
				fmt.Fprintf(&out, ",%t", s.Never[i])
			}
			if s.Cluster != nil {
				fmt.Fprintf(&out, ",%d", s.Cluster[i])
			}
		}
		out.WriteByte('\n')
	case ".jsonl":
		fmt.Fprintf(&out, "%s\n", about)
		w := json.NewEncoder(&out)
		for i := range s.Values {
			x := scoreLine{ID: &s.Numbers[i]}
			if x.Never = s.Never != nil && s.Never[i]; !x.Never {
				x.Value = &s.Values[i]
			}
			if s.Cluster != nil {
				x.Cluster = &s.Cluster[i]
			}
			if err := w.Encode(&x); err != nil {
				return nil, err
			}
		}
	case ".npy":
		for i, k := range s.Numbers {
			if int(k) != i {
				return nil, fmt.Errorf("an array has no numbers of samples, and the score is not of samples 0 to %d: write .csv or .jsonl", len(s.Numbers)-1)
			}
		}
		t := tensor.New(tensor.Float64, len(s.Values))
		copy(tensor.Of[float64](t), s.Values)
		return npy.Encode(t)
	default:
		return nil, fmt.Errorf("scores end in .csv, .jsonl or .npy, not in %q", ext)
	}
	return out.Bytes(), nil
}
