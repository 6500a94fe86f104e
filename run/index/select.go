package index

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pare/run"
)

// Filter says which runs are wanted. What is empty leaves all.
type Filter struct {
	Command string   // or its last word: "model prune", "prune"
	Methods []string // any of them
	Status  []run.Status
	Tags    []string  // all of them
	Since   time.Time // begun then or later
	Newest  int       // at most so many, the newest
}

// Select gives the runs that a filter leaves, oldest first. Whether one runs is asked of
// the system, not of the index.
func (x *Index) Select(ctx context.Context, f Filter) ([]*run.Entry, error) {
	es, err := x.rows(ctx, &f)
	if damaged(err) {
		if err = x.again(ctx, err); err == nil {
			es, err = x.rows(ctx, &f)
		}
	}
	return es, err
}

func (x *Index) rows(ctx context.Context, f *Filter) ([]*run.Entry, error) {
	where, with := f.where()
	rows, err := x.db.QueryContext(ctx, "SELECT name, stamp, entry, sum FROM runs"+where+" ORDER BY name DESC", with...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []*run.Entry
	for rows.Next() && (f.Newest == 0 || len(out) < f.Newest) {
		var name, stamp string
		var b []byte
		var is int64
		if err := rows.Scan(&name, &stamp, &b, &is); err != nil {
			return nil, err
		}
		e := &run.Entry{}
		if is != sum(name, stamp, b) || json.Unmarshal(b, e) != nil || e.Record == nil {
			return nil, fmt.Errorf("%w: the row of %s", errDamaged, name)
		}
		e.Name, e.Dir = name, filepath.Join(x.store.Dir, name)
		if e.Status = x.store.StatusOf(name, e.Record); e.Record.Status == run.Running {
			e.Bytes = run.SizeOf(e.Dir)
		}
		if len(f.Status) == 0 || slices.Contains(f.Status, e.Status) {
			out = append(out, e)
		}
	}
	slices.Reverse(out)
	return out, rows.Err()
}

// where is the filter as SQL.
func (f *Filter) where() (text string, with []any) {
	var and []string
	add := func(cond string, args ...any) { and, with = append(and, cond), append(with, args...) }
	if f.Command != "" {
		add("(command = ? OR substr(command, -length(?) - 1) = ' ' || ?)", f.Command, f.Command, f.Command)
	}
	in := func(words []string) string {
		return "(" + strings.TrimSuffix(strings.Repeat("?,", len(words)), ",") + ")"
	}
	if len(f.Methods) > 0 {
		cond := "name IN (SELECT run FROM words WHERE kind = 'method' AND word IN " + in(f.Methods) + ")"
		add(cond, list(f.Methods)...)
	}
	for _, t := range f.Tags {
		add("name IN (SELECT run FROM words WHERE kind = 'tag' AND word = ?)", t)
	}
	if len(f.Status) > 0 {
		var ss []string
		for _, s := range f.Status {
			if s == run.Died { // which the record does not know of itself
				s = run.Running
			}
			ss = append(ss, string(s))
		}
		add("status IN "+in(ss), list(ss)...)
	}
	if !f.Since.IsZero() {
		add("began >= ?", nanoseconds(f.Since))
	}
	if len(and) == 0 {
		return "", nil
	}
	return " WHERE " + strings.Join(and, " AND "), with
}

// nanoseconds is a time as the table has it; one outside the years that have a number is the
// first or last that has.
func nanoseconds(t time.Time) int64 {
	switch y := t.Year(); {
	case y < 1678:
		return math.MinInt64
	case y > 2261:
		return math.MaxInt64
	}
	return t.UnixNano()
}

func list(ws []string) (out []any) {
	for _, w := range ws {
		out = append(out, w)
	}
	return out
}
