package dataset

import (
	"cmp"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pare/catalog"
)

// inFolder makes a folder beside its place, which must be free, and renames it.
func (c *cut) inFolder(to string, write func(dir string) error) error {
	if end := ending(to); slices.Contains(fileEndings, end) {
		return catalog.Errorf("{To} %s is named as a file (%s), and what stays goes to a folder: give a new one", to, end)
	}
	if in, err := filepath.Rel(c.root, to); err == nil && c.root != "" && filepath.IsLocal(in) {
		return catalog.Errorf("{To} %s lies in the folder of the data, of which it would become a part: give another", to)
	}
	if es, err := os.ReadDir(to); err == nil && len(es) > 0 {
		return catalog.Errorf("{To} %s is a folder that is not empty: give a new one", to)
	} else if st, err := os.Stat(to); err == nil && !st.IsDir() {
		return catalog.Errorf("{To} %s is a file, and what stays of several files goes to a folder: give a new one", to)
	}
	dir, err := os.MkdirTemp(filepath.Dir(filepath.Clean(to)), "."+filepath.Base(to)+"-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // there is nothing where it was renamed
	if err := write(dir); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	return os.Rename(dir, to)
}

// fileEndings are those of files of data.
var fileEndings = []string{".csv", ".tsv", ".csv.gz", ".tsv.gz", ".jsonl", ".ndjson", ".json", ".jsonl.gz", ".ndjson.gz", ".json.gz", ".txt", ".txt.gz", ".parquet", ".parq", ".npz", ".npy", ".npy.gz", ".zip", ".bin"}

// ending is that of a file, .gz with what is before it.
func ending(path string) string {
	name := strings.ToLower(filepath.Base(path))
	end := filepath.Ext(name)
	if end == ".gz" {
		end = filepath.Ext(strings.TrimSuffix(name, end)) + end
	}
	return end
}

// common is the folder around all files.
func common(files []string) string {
	dir := filepath.Dir(files[0])
	for _, f := range files[1:] {
		for {
			if rel, err := filepath.Rel(dir, f); err == nil && filepath.IsLocal(rel) || dir == filepath.Dir(dir) {
				break
			}
			dir = filepath.Dir(dir)
		}
	}
	return dir
}

// save writes a file of a new folder.
func save(path string, write func(w io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if err = write(f); err == nil {
		err = f.Sync()
	}
	return cmp.Or(err, f.Close())
}
