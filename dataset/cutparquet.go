package dataset

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"

	"github.com/parquet-go/parquet-go"
)

// rowsTogether is how many rows of a Parquet file are read at a time.
const rowsTogether = 256

// parquet writes the rows of a Parquet file that stay, by its schema, the compression of its columns, its
// groups of rows and what it says of itself.
func (k *keeping) parquet(ctx context.Context, from string, to io.Writer) (err error) {
	defer func() { // the library panics on damaged files
		if r := recover(); r != nil {
			err = fmt.Errorf("damaged: %v", r)
		}
	}()
	st, err := stampOf(from)
	if err != nil {
		return err
	}
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := checkFooter(f, st.size); err != nil {
		return err
	}
	file, err := parquet.OpenFile(f, st.size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return err
	}
	if err := sameTypes(file); err != nil {
		return err
	}
	options := []parquet.WriterOption{file.Schema()}
	for _, m := range file.Metadata().KeyValueMetadata {
		options = append(options, parquet.KeyValueMetadata(m.Key, m.Value))
	}
	w := parquet.NewGenericWriter[any](to, options...)
	rows := make([]parquet.Row, rowsTogether)
	n, column := 0, -1
	if k.change != nil {
		if column, err = k.change.parquetColumn(file.Schema()); err != nil {
			return err
		}
	}
	for _, g := range file.RowGroups() {
		if err := k.group(ctx, g, w, rows, column, &n); err != nil {
			return fmt.Errorf("row %d: %w", n, err)
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	k.first += n
	return w.Close()
}

// sameTypes refuses columns of types that would be others once written: the library does not write
// every kind that there is, such as numbers of 16 bits.
func sameTypes(file *parquet.File) error {
	var b bytes.Buffer
	w := parquet.NewGenericWriter[any](&b, file.Schema())
	if err := w.Close(); err != nil {
		return err
	}
	written, err := parquet.OpenFile(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		return err
	}
	was, is := file.Metadata().Schema, written.Metadata().Schema
	if len(was) != len(is) {
		return fmt.Errorf("a schema of %d elements would be written as one of %d: write an .npz file", len(was), len(is))
	}
	for i := 1; i < len(was); i++ { // the first is the root
		a, b := was[i], is[i]
		same := a.Name == b.Name && a.Type == b.Type && (!a.TypeLength.Valid || a.TypeLength == b.TypeLength) && a.RepetitionType == b.RepetitionType && a.NumChildren == b.NumChildren && a.FieldID == b.FieldID
		if a.LogicalType.Value != nil {
			same = same && reflect.DeepEqual(a.LogicalType, b.LogicalType)
		} else if a.ConvertedType.Valid {
			same = same && a.ConvertedType == b.ConvertedType
		}
		if !same {
			return fmt.Errorf("column %q would be written as another type than it has (%s): write an .npz file", a.Name, cmp.Or(a.LogicalType.String(), "an old annotation"))
		}
	}
	return nil
}

// group writes the rows of a group that stay, with the classes in a column that they have now; -1: none changes.
func (k *keeping) group(ctx context.Context, g parquet.RowGroup, w *parquet.GenericWriter[any], rows []parquet.Row, column int, n *int) error {
	in := g.Rows()
	defer in.Close()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		got, err := in.ReadRows(rows)
		kept := make([]parquet.Row, 0, got)
		for _, r := range rows[:got] {
			if column >= 0 {
				if err := k.parquetLabel(*n, r, column); err != nil {
					return err
				}
			}
			if k.stays(*n) {
				kept = append(kept, r)
			}
			*n++
		}
		if _, err := w.WriteRows(kept); err != nil {
			return err
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
