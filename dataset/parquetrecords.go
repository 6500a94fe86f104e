package dataset

import (
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// parquetRows are the rows of a Parquet file as records: each column is a field, of
// numbers, texts, or numbers in lists.
type parquetRows struct {
	path   string
	size   int64
	groups []format.RowGroup
	leaves []*leafColumn
	images []*leafColumn // columns of images, which are read apart
	names  map[string][]string

	source *source
	marks  *marks            // of rows, any of which may be the first
	pages  map[[2]int]*pages // of each column of each row group; nil: they are not noted
	noted  bool              // they all are
	many   bool              // all files together have more values than are held
	summed bool              // columns are read one after another
	rooms  sync.Pool         // of *columnReader
}

func (r *parquetRows) places() *marks { return r.marks }

// file says how much reading takes: a page of each column, or of one at a time.
func (r *parquetRows) file() (*source, int64) {
	sum := map[int]int64{}
	most, page, dict := int64(0), int64(0), int64(0)
	for k, p := range r.pages {
		sum[k[0]] += p.most + p.dictBytes
		page, dict = max(page, p.most), max(dict, p.dictBytes)
	}
	if r.summed {
		return r.source, page + dict
	}
	for _, n := range sum {
		most = max(most, n)
	}
	return r.source, most
}

// longest is the most rows of a page, where that is known.
func (r *parquetRows) longest() int {
	n := 0
	for _, p := range r.pages {
		n = max(n, p.rows)
	}
	return n
}

// open is a column of a row group, whose pages are noted, or have been.
func (r *parquetRows) open(f io.ReaderAt, group int, l *leafColumn) (*column, error) {
	c, err := openColumn(f, r.size, &r.groups[group], l.LeafColumn)
	if err == nil && r.pages != nil {
		k := [2]int{group, l.ColumnIndex}
		if r.pages[k] == nil && !r.noted {
			r.pages[k] = &pages{every: r.marks.every}
			c.pages = r.pages[k]
		}
	}
	return c, err
}

// some reads rows from one on.
func (r *parquetRows) some(t *table, from mark, n int, done func(at string) error) error {
	f, err := r.source.stamp.open()
	if err != nil {
		return err
	}
	defer f.Close()
	lo, hi, begin := from.record, from.record+n, 0
	for k := range r.groups {
		end := begin + int(r.groups[k].NumRows)
		a, b := max(lo, begin), min(hi, end)
		if a < b {
			if err := r.rows(f, t, k, a-begin, b-begin, begin, done); err != nil {
				return err
			}
		}
		begin = end
	}
	return r.source.stamp.same(f)
}

// leafColumn is a column of values of a schema.
type leafColumn struct {
	*parquet.LeafColumn
	name   string
	inside []int // by how deep in lists: the level of an entry that is in the list
	kind   format.LogicalTypeValue
	image  bool
}

// listNames are what Parquet's writers put between a list and its entries
// (https://github.com/apache/parquet-format/blob/master/LogicalTypes.md#lists).
var listNames = regexp.MustCompile(`\.(list|bag)\.(element|item|array_element|array)\b`)

// openRows reads footer and schema.
func openRows(file string, o parquetOptions) (*parquetRows, error) {
	return withParquet(file, func(f *os.File, size int64) (*parquetRows, error) { return rowsIn(file, f, size, o) })
}

func rowsIn(file string, f *os.File, size int64, o parquetOptions) (*parquetRows, error) {
	r := &parquetRows{path: file, size: size, names: map[string][]string{}}
	if err := checkFooter(f, r.size); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	p, err := parquet.OpenFile(f, r.size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	r.groups = p.Metadata().RowGroups
	schema := p.Schema()
	if len(schema.Columns()) > maxColumns {
		return nil, fmt.Errorf("%s: more than %d columns", file, maxColumns)
	}
	meta, _ := p.Lookup("huggingface")
	for _, path := range schema.Columns() {
		if leaf, ok := schema.Lookup(path...); ok {
			l := newLeaf(schema, path, &leaf)
			r.names[l.name] = classLabel(meta, l.name)
			r.leaves = append(r.leaves, l)
		}
	}
	r.findImages(o)
	rows, values := int64(0), int64(0)
	for _, g := range r.groups {
		if g.NumRows < 0 || rows > math.MaxInt64-g.NumRows {
			return nil, fmt.Errorf("%s: damaged: %d rows", file, g.NumRows)
		}
		rows += g.NumRows
		for _, c := range g.Columns {
			values += max(0, min(c.MetaData.NumValues, math.MaxInt32))
		}
	}
	if most := mostValues(r.size); rows > most || values > most {
		return nil, fmt.Errorf("%s: damaged: %d rows of %d values in %d bytes", file, rows, values, r.size)
	}
	return r, nil
}

// newLeaf finds how a column lies in the schema.
func newLeaf(schema *parquet.Schema, path []string, leaf *parquet.LeafColumn) *leafColumn {
	l := &leafColumn{LeafColumn: leaf, name: listNames.ReplaceAllString(strings.Join(path, "."), "")}
	var at parquet.Node = schema
	def := 0
	for _, name := range path {
		k := slices.IndexFunc(at.Fields(), func(f parquet.Field) bool { return f.Name() == name })
		if k < 0 {
			break
		}
		at = at.Fields()[k]
		if at.Optional() || at.Repeated() {
			def++
		}
		if at.Repeated() {
			l.inside = append(l.inside, def)
		}
	}
	if t := leaf.Node.Type().LogicalType(); t != nil {
		l.kind = t.Value
	}
	return l
}

// findImages takes bytes beside a path, as Hugging Face stores images, and the column
// that is named as one of images.
func (r *parquetRows) findImages(o parquetOptions) {
	usual := []string{"image", "img", "images", "picture"}
	if o.image != "" {
		usual = []string{o.image}
	}
	var rest []*leafColumn
	for _, l := range r.leaves {
		top, inside := strings.CutSuffix(l.name, ".bytes")
		_, text := l.kind.(*format.StringType)
		bytes := l.Node.Type().Kind() == parquet.ByteArray && !text && l.MaxRepetitionLevel == 0
		switch {
		case bytes && inside || bytes && slices.Contains(usual, l.name):
			l.name, l.image = top, true
			r.images = append(r.images, l)
		case strings.HasSuffix(l.name, ".path") && slices.ContainsFunc(r.leaves, func(b *leafColumn) bool { return b.image && b.name+".path" == l.name }):
		default:
			rest = append(rest, l)
		}
	}
	r.leaves = rest
}

// each reads all rows.
func (r *parquetRows) each(t *table, done func(at string) error) error {
	f, err := os.Open(r.path)
	if err != nil {
		return err
	}
	defer f.Close()
	first, texts := 0, int64(0)
	for k := range r.groups {
		n := int(r.groups[k].NumRows)
		err := r.rows(f, t, k, 0, n, first, func(at string) error {
			for _, c := range t.cols {
				if texts += int64(len(c.cell.text)); texts > 16*mostValues(r.size) {
					return fmt.Errorf("its texts are many times its %d bytes", r.size)
				}
			}
			return done(at)
		})
		if err != nil {
			return err
		}
		first += n
	}
	if r.marks != nil {
		r.marks.records = first
	}
	return nil
}

// rows reads some rows of a group, whose first is one of the file's.
func (r *parquetRows) rows(f io.ReaderAt, t *table, group, lo, hi, first int, done func(at string) error) error {
	var read []*rowColumn
	for _, l := range r.leaves {
		c, err := t.column(l.name)
		if err != nil {
			return err
		}
		if c == nil {
			continue
		}
		p, err := r.open(f, group, l)
		if err != nil {
			c.odd = err.Error()
			continue
		}
		col := &rowColumn{column: p, leaf: l, cells: c}
		if lo > 0 {
			before, err := p.seek(r.pages[[2]int{group, l.ColumnIndex}], lo)
			for ; before > 0 && err == nil; before-- {
				err = col.row()
				c.cell.reset()
			}
			if err != nil {
				return fmt.Errorf("column %q: %w", l.name, err)
			}
		}
		read = append(read, col)
	}
	for row := first + lo; row < first+hi; row++ {
		at := fmt.Sprintf("row %d", row)
		for _, c := range read {
			if err := c.row(); err != nil {
				return fmt.Errorf("%s: column %q: %w", at, c.leaf.name, err)
			}
		}
		if err := done(at); err != nil {
			return err
		}
	}
	return nil
}
