package dataset

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"pare/catalog"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/parquet-go/parquet-go"
)

// relabeling changes classes where they stand in rows, in the words of the file: files are read once
// to learn how it spells each class, and once more to write.
type relabeling struct {
	field  string           // that the classes are read as
	column string           // that they stand in, where the field is not named as it; "": as the field
	text   map[int32]string // how a class is spelled
	class  map[string]int32 // and what a spelling is
	write  bool             // all are known
}

// relabeling is that of what stays of a set; nil: no label changes.
func (k *keeping) relabeled() *relabeling {
	if len(k.class) == 0 || !slices.Contains(worded, k.Kind) {
		return nil
	}
	return &relabeling{field: k.field, column: k.label, text: map[int32]string{}, class: map[string]int32{}}
}

// classesOf gives the numbers that classes had, where some have been left out and those that stay are
// numbered anew: in words a class stays as it is. nil: they are as they were.
func (k *keeping) classesOf(now, before *Field) ([]int32, error) {
	if !slices.Contains(worded, k.Kind) || slices.Equal(now.Names, before.Names) {
		return nil, nil
	}
	k.names = before.Names
	out := make([]int32, len(now.Names))
	for i, n := range now.Names {
		c := slices.Index(before.Names, n)
		if c < 0 {
			return nil, catalog.Errorf("{To}: class %q was none of the data: write an .npz file", n)
		}
		out[i] = int32(c)
	}
	return out, nil
}

// learn reads all files for how they spell classes, where labels change that stand in rows.
func (c *cut) learn(files []string) error {
	if !slices.ContainsFunc(c.of, func(k *keeping) bool { return k.change != nil }) {
		return nil
	}
	for _, f := range files {
		if err := c.write(f, io.Discard); err != nil {
			return err
		}
	}
	if err := c.whole(); err != nil {
		return err
	}
	for _, k := range c.of {
		if k.first = 0; k.change != nil {
			k.change.write = true
		}
	}
	return nil
}

// spelled gives how the class of sample i of the file that is being written is spelled now.
func (k *keeping) spelled(i int, text string) (string, error) {
	i += k.first
	if i >= len(k.keep) {
		return text, nil // which is found out at the end
	}
	r := k.change
	if !r.write {
		y := k.was[i]
		if had, ok := r.class[text]; ok && had != y {
			return "", fmt.Errorf("%s is class %d of one sample and class %d of another: its labels cannot be changed where they stand; write an .npz file", clip(text, 40), had, y)
		}
		if r.class[text] = y; r.text[y] == "" {
			r.text[y] = text
		}
		return text, nil
	}
	y, ok := k.class[i]
	if !ok {
		return text, nil
	}
	return k.spelling(y)
}

// spelling is how the file spells a class, or would spell one that none of its samples has.
func (k *keeping) spelling(y int32) (string, error) {
	r := k.change
	if s, ok := r.text[y]; ok {
		return s, nil
	}
	base, counted, quoted := int32(0), len(r.text) > 0, false
	for y, s := range r.text {
		n, ok := wholeClass(s)
		if counted = counted && ok && (base == 0 || n-y == base); ok {
			base = n - y
		}
		quoted = quoted || strings.HasPrefix(s, `"`)
	}
	switch {
	case counted:
		return strconv.Itoa(int(y + base)), nil
	case int(y) < len(k.names) && k.Kind == "jsonl" && quoted:
		b, err := jsontext.AppendQuote(nil, k.names[y])
		return string(b), err
	case int(y) < len(k.names) && k.Kind != "jsonl":
		return k.names[y], nil
	}
	return "", fmt.Errorf("no sample has class %d, so that it is not known how the file would spell it: write an .npz file", y)
}

// classColumn is the column of a CSV file that classes stand in.
func (r *relabeling) classColumn(c *csvReader, byField bool) (int, error) {
	if !byField {
		return c.col, nil
	}
	k := slices.Index(c.columnNames(), r.field)
	if k < 0 {
		return 0, fmt.Errorf("the classes, field %q, stand in no column of that name: write an .npz file", r.field)
	}
	return k, nil
}

// csvLabel gives a row of a CSV file, which may have comments and empty lines before it, with the class that it
// has now.
func (k *keeping) csvLabel(n int, sep rune, col int, text string, b []byte) ([]byte, error) {
	text = strings.TrimSpace(text)
	is, err := k.spelled(n, text)
	if err != nil || is == text {
		return b, err
	}
	from, to := csvPlace(b, sep, col)
	if to < 0 {
		return nil, fmt.Errorf("row %d is divided in another way than was read: write an .npz file", n)
	}
	if to > from && b[from] == '"' || strings.ContainsAny(is, "\"\n\r#"+string(sep)) {
		is = `"` + strings.ReplaceAll(is, `"`, `""`) + `"`
	}
	return slices.Concat(b[:from], []byte(is), b[to:]), nil
}

// csvPlace is where a field of a row stands, without the space around it; to is -1 where the row
// has no such field.
func csvPlace(b []byte, sep rune, col int) (from, to int) {
	for len(b[from:]) > 0 && (b[from] == '#' || b[from] == '\n' || bytes.HasPrefix(b[from:], []byte("\r\n"))) {
		next := bytes.IndexByte(b[from:], '\n')
		if next < 0 {
			return 0, -1
		}
		from += next + 1
	}
	for ; ; col-- {
		for sep != '\t' && from < len(b) && (b[from] == ' ' || b[from] == '\t') {
			from++
		}
		to = from + csvField(b[from:], sep)
		if col == 0 {
			return from, to
		}
		behind := len(b[to:]) - len(bytes.TrimLeft(b[to:], " "))
		if from = to + behind; !bytes.HasPrefix(b[from:], []byte(string(sep))) {
			return 0, -1
		}
		from += len(string(sep))
	}
}

// csvField is how many bytes the field has that b begins with, without the space behind it.
func csvField(b []byte, sep rune) int {
	if len(b) > 0 && b[0] == '"' {
		for i := 1; i < len(b); i++ {
			switch {
			case b[i] != '"':
			case i+1 < len(b) && b[i+1] == '"':
				i++
			default:
				return i + 1
			}
		}
		return len(b)
	}
	end := len(b)
	if i := bytes.IndexAny(b, "\r\n"+string(sep)); i >= 0 {
		end = i
	}
	return len(bytes.TrimRight(b[:end], " "))
}

// jsonLabel gives an object with the class that it has now.
func (k *keeping) jsonLabel(n int, v jsontext.Value) (jsontext.Value, error) {
	from, to, err := jsonPlace(v, k.change.field)
	if err != nil {
		return nil, fmt.Errorf("record %d: %w", n, err)
	}
	text := string(v[from:to])
	is, err := k.spelled(n, text)
	if err != nil || is == text {
		return v, err
	}
	return slices.Concat(v[:from], []byte(is), v[to:]), nil
}

// jsonPlace is where the value of a name stands in an object; OUTER.INNER is one of an object
// in it.
func jsonPlace(v jsontext.Value, name string) (from, to int, err error) {
	d := jsontext.NewDecoder(bytes.NewReader(v), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	found := 0
	var object func(prefix string) error
	object = func(prefix string) error {
		if _, err := d.ReadToken(); err != nil { // {
			return err
		}
		for d.PeekKind() != '}' {
			t, err := d.ReadToken()
			if err != nil {
				return err
			}
			key := prefix + t.String()
			if d.PeekKind() == '{' && key != name {
				if err := object(key + "."); err != nil {
					return err
				}
				continue
			}
			value, err := d.ReadValue()
			if err != nil {
				return err
			}
			if key == name {
				found++
				to = int(d.InputOffset())
				from = to - len(value)
			}
		}
		_, err := d.ReadToken()
		return err
	}
	if err := object(""); err != nil {
		return 0, 0, notJSON(err)
	}
	if found != 1 {
		return 0, 0, fmt.Errorf("the class %q stands in it %d times: write an .npz file", name, found)
	}
	return from, to, nil
}

// parquetColumn is the number of the leaf that classes stand in.
func (r *relabeling) parquetColumn(s *parquet.Schema) (int, error) {
	name := r.field
	if r.column != "" {
		name = r.column
	}
	for _, path := range s.Columns() {
		if strings.Join(path, ".") == name {
			if leaf, ok := s.Lookup(path...); ok && leaf.MaxRepetitionLevel == 0 {
				return leaf.ColumnIndex, nil
			}
		}
	}
	return 0, fmt.Errorf("the classes, %q, stand in no column of that name: write an .npz file", name)
}

// parquetLabel changes a row to the class that it has now.
func (k *keeping) parquetLabel(n int, r parquet.Row, column int) error {
	i := slices.IndexFunc(r, func(v parquet.Value) bool { return v.Column() == column })
	if i < 0 {
		return nil
	}
	v := r[i]
	is, err := k.spelled(n, v.String())
	if err != nil || is == v.String() {
		return err
	}
	if v.IsNull() {
		return fmt.Errorf("row %d has no class to change: write an .npz file", n)
	}
	x, wrong := parquet.Value{}, error(nil)
	switch kind := v.Kind(); kind {
	case parquet.ByteArray, parquet.FixedLenByteArray:
		x = parquet.ByteArrayValue([]byte(is))
	case parquet.Int32, parquet.Int64:
		var whole int64
		whole, wrong = strconv.ParseInt(is, 10, 64)
		if x = parquet.Int64Value(whole); kind == parquet.Int32 {
			x = parquet.Int32Value(int32(whole))
		}
	default:
		wrong = fmt.Errorf("its type is %v", kind)
	}
	if wrong != nil {
		return fmt.Errorf("row %d: class %s cannot stand in column %q (%w): write an .npz file", n, clip(is, 40), k.change.field, wrong)
	}
	r[i] = x.Level(v.RepetitionLevel(), v.DefinitionLevel(), v.Column())
	return nil
}
