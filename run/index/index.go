// Package index is a table of the runs of a store, in SQLite, so that thousands of them are
// listed and filtered without reading each. It is made from the directories and checked
// against them whenever it is opened, and is never the only place of a fact: one that is
// damaged, or gone, is made anew.
package index

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"pare/run"

	_ "modernc.org/sqlite" // the driver
)

// File is the index's file in the store's folder.
const File = ".index.sqlite"

// schema is the table. entry is a row as JSON, sum the CRC-32 of name, stamp and it: what
// a process that was killed while it wrote has left shows by it, so no journal is kept.
const schema = `
CREATE TABLE runs (name TEXT PRIMARY KEY, stamp TEXT NOT NULL, entry BLOB NOT NULL, sum INTEGER NOT NULL,
	command TEXT NOT NULL, status TEXT NOT NULL, began INTEGER NOT NULL) STRICT;
CREATE TABLE words (run TEXT NOT NULL REFERENCES runs(name) ON DELETE CASCADE, kind TEXT NOT NULL, word TEXT NOT NULL,
	PRIMARY KEY (run, kind, word)) STRICT, WITHOUT ROWID;
CREATE INDEX by_command ON runs (command);
CREATE INDEX by_word ON words (kind, word);
PRAGMA application_id = 1885434469;
PRAGMA user_version = 1;`

// What the file must say of itself.
const (
	application = 1885434469 // "pare"
	version     = 1
)

// Index is an open index.
type Index struct {
	Notes []string // what a user should know: it was made anew, or is in memory alone
	Bad   []error  // directories with a run's name that cannot be read

	store *run.Store
	db    *sql.DB
}

// Open opens the index of a store and brings it up to date with the directories. Where
// there can be no file, as in a folder that cannot be written, the index is in memory.
func Open(ctx context.Context, s *run.Store) (*Index, error) {
	x := &Index{store: s}
	path := filepath.Join(s.Dir, File)
	st, err := os.Lstat(path)
	switch {
	case err == nil && !st.Mode().IsRegular():
		return x.inMemory(ctx, fmt.Errorf("%s is no file", path))
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(s.Dir); err != nil {
			return x.inMemory(ctx, nil)
		}
	}
	err = x.use(ctx, path)
	if err == nil || ctx.Err() != nil {
		return x, err
	}
	return x, x.again(ctx, err)
}

// use opens a file and brings it up to date.
func (x *Index) use(ctx context.Context, path string) error {
	err := x.open(ctx, path)
	if err == nil {
		err = x.sync(ctx)
	}
	if err != nil {
		x.Close() //nolint:errcheck // it is given up
	}
	return err
}

// again makes the index anew where it is damaged, else in memory.
func (x *Index) again(ctx context.Context, why error) error {
	path := filepath.Join(x.store.Dir, File)
	if damaged(why) {
		x.Close() //nolint:errcheck // it is given up
		x.Notes = append(x.Notes, fmt.Sprintf("the index of %s was damaged or of another version (%v); it is made anew from the directories", x.store.Dir, why))
		if why = os.Remove(path); why == nil {
			if why = x.use(ctx, path); why == nil {
				return nil
			}
		}
	}
	_, err := x.inMemory(ctx, why)
	return err
}

// inMemory makes an index that is gone when it is closed.
func (x *Index) inMemory(ctx context.Context, why error) (*Index, error) {
	if why != nil {
		x.Notes = append(x.Notes, fmt.Sprintf("there is no index of the runs in a file (%v); all of them are read", why))
	}
	return x, x.use(ctx, ":memory:")
}

// errDamaged begins the errors of an index that contradicts itself.
var errDamaged = errors.New("it is no index of this version")

// damaged says whether an error of SQLite is the file's own, not the machine's.
func damaged(err error) bool {
	if errors.Is(err, errDamaged) {
		return true
	}
	var e interface{ Code() int }
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code() & 0xff {
	case 1, 11, 19, 24, 26: // no such table; malformed; rows that are there already; format; not a database
		return true
	}
	return false
}

func (x *Index) open(ctx context.Context, path string) (err error) {
	q := url.Values{"_pragma": {"busy_timeout(10000)", "journal_mode(MEMORY)", "synchronous(OFF)", "foreign_keys(1)"}, "_txlock": {"immediate"}}
	name := path
	if path != ":memory:" {
		name = (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
	}
	if x.db, err = sql.Open("sqlite", name); err != nil {
		return err
	}
	x.db.SetMaxOpenConns(1)
	var app, is int
	if err := x.db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&app); err != nil {
		return err
	}
	if app == 0 { // it is new, or another process is about to make it
		if err := x.create(ctx); err != nil {
			return err
		}
		if err := x.db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&app); err != nil {
			return err
		}
	}
	if err := x.db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&is); err != nil {
		return err
	}
	if app != application || is != version {
		return fmt.Errorf("%w: application %d, version %d", errDamaged, app, is)
	}
	var fine string
	if err := x.db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&fine); err != nil {
		return err
	}
	if fine != "ok" {
		return fmt.Errorf("%w: %.100s", errDamaged, fine)
	}
	return nil
}

// create makes the tables, unless another process has made them meanwhile.
func (x *Index) create(ctx context.Context) error {
	tx, err := x.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // it does nothing where it was committed
	var n int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master").Scan(&n); err != nil || n > 0 {
		return err
	}
	if _, err := tx.ExecContext(ctx, schema); err != nil {
		return err
	}
	return tx.Commit()
}

// Close closes the index.
func (x *Index) Close() error {
	if x.db == nil {
		return nil
	}
	db := x.db
	x.db = nil
	return db.Close()
}

// sync reads the runs whose record or tags have changed since they were indexed.
func (x *Index) sync(ctx context.Context) error {
	names, err := x.store.Names()
	if err != nil {
		return err
	}
	have, err := x.stamps(ctx)
	if err != nil {
		return err
	}
	gone := maps.Clone(have)
	var changed []string
	x.Bad = nil
	for _, n := range names {
		delete(gone, n)
		if have[n] != run.Stamp(filepath.Join(x.store.Dir, n)) {
			changed = append(changed, n)
		}
	}
	if len(changed)+len(gone) == 0 {
		return nil
	}
	tx, err := x.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // it does nothing where it was committed
	for n := range gone {
		if _, err := tx.ExecContext(ctx, "DELETE FROM runs WHERE name = ?", n); err != nil {
			return err
		}
	}
	for _, n := range changed {
		if _, err := tx.ExecContext(ctx, "DELETE FROM runs WHERE name = ?", n); err != nil {
			return err
		}
		if err := x.put(ctx, tx, n); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// stamps are those of the rows.
func (x *Index) stamps(ctx context.Context) (map[string]string, error) {
	rows, err := x.db.QueryContext(ctx, "SELECT name, stamp FROM runs")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string]string{}
	for rows.Next() {
		var name, stamp string
		if err := rows.Scan(&name, &stamp); err != nil {
			return nil, err
		}
		out[name] = stamp
	}
	return out, rows.Err()
}

// put reads a run's directory into the tables. One that cannot be read is not in them.
func (x *Index) put(ctx context.Context, tx *sql.Tx, name string) error {
	dir := filepath.Join(x.store.Dir, name)
	stamp := run.Stamp(dir) // before it is read: what changes meanwhile is read again
	e, err := x.store.Entry(name)
	if err != nil {
		if !run.Unfinished(dir) {
			x.Bad = append(x.Bad, err)
		}
		return nil
	}
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO runs VALUES (?,?,?,?,?,?,?)", name, stamp, b, sum(name, stamp, b), e.Record.Command, string(e.Record.Status), nanoseconds(e.Record.Began)); err != nil {
		return err
	}
	for kind, words := range map[string][]string{"method": e.Record.Methods, "tag": e.Tags} {
		for _, w := range words {
			if _, err := tx.ExecContext(ctx, "INSERT OR IGNORE INTO words VALUES (?,?,?)", name, kind, w); err != nil {
				return err
			}
		}
	}
	return nil
}

func sum(name, stamp string, b []byte) int64 {
	return int64(crc32.ChecksumIEEE(slices.Concat([]byte(name), []byte{0}, []byte(stamp), []byte{0}, b)))
}
