package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/parquet-go/parquet-go"
)

// together is how many rows of a Parquet file are read at a time.
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
	options := []parquet.WriterOption{file.Schema()}
	for _, m := range file.Metadata().KeyValueMetadata {
		options = append(options, parquet.KeyValueMetadata(m.Key, m.Value))
	}
	w := parquet.NewGenericWriter[any](to, options...)
	rows := make([]parquet.Row, rowsTogether)
	n := 0
	for _, g := range file.RowGroups() {
		if err := k.group(ctx, g, w, rows, &n); err != nil {
			return fmt.Errorf("row %d: %w", n, err)
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	k.first += n
	return w.Close()
}

// group writes the rows of a group that stay.
func (k *keeping) group(ctx context.Context, g parquet.RowGroup, w *parquet.GenericWriter[any], rows []parquet.Row, n *int) error {
	in := g.Rows()
	defer in.Close()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		got, err := in.ReadRows(rows)
		kept := make([]parquet.Row, 0, got)
		for _, r := range rows[:got] {
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
