package safetensors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"pare/internal/mapped"
)

// The layout of a folder, as transformers writes and reads it.
const (
	single = "model.safetensors"            // where all tensors are in one file
	index  = "model.safetensors.index.json" // else says in which file each is
)

// shards are the names of files that an index names.
var shards = regexp.MustCompile(`^model-\d{5}-of-\d{5}\.safetensors$`)

func shardName(i, of int) string { return fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, of) }

// OpenFolder opens the weights of a folder: model.safetensors where there is one, else the
// files that model.safetensors.index.json names, as one set of tensors. It returns an error
// where the index and the files do not say the same.
func OpenFolder(dir string) (*Reader, error) {
	one := filepath.Join(dir, single)
	if _, err := os.Stat(one); err == nil {
		return Open(one)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	path := filepath.Join(dir, index)
	where, err := readIndex(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s has neither %s nor %s: name the folder that holds the weights, or a file of them", dir, single, index)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var files []string
	for _, file := range where {
		files = append(files, file)
	}
	slices.Sort(files)
	r := &Reader{at: map[string]place{}}
	for i, file := range slices.Compact(files) {
		meta, err := r.add(filepath.Join(dir, file))
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%s names %s, which is missing: fetch it into %s", path, file, dir)
		}
		if err != nil {
			r.Close()
			return nil, err
		}
		if i == 0 {
			r.Meta = meta
		}
	}
	if err := r.agrees(where); err != nil {
		r.Close()
		return nil, fmt.Errorf("%s: %w: the files are of different versions, fetch all of them anew", path, err)
	}
	return r, nil
}

// agrees compares what the files hold with what the index says.
func (r *Reader) agrees(where map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(where)) {
		file := where[name]
		p, ok := r.at[name]
		if !ok {
			return fmt.Errorf("tensor %q is to be in %s, and no file holds it", name, file)
		}
		if in := filepath.Base(r.files[p.file].Path()); in != file {
			return fmt.Errorf("tensor %q is to be in %s, and is in %s", name, file, in)
		}
	}
	for _, name := range r.names {
		if where[name] == "" {
			return fmt.Errorf("%s holds tensor %q, which the index does not name", filepath.Base(r.files[r.at[name].file].Path()), name)
		}
	}
	return nil
}

// readIndex reads an index: the file of each tensor.
func readIndex(path string) (map[string]string, error) {
	f, err := mapped.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f.Size() > maxHeader {
		return nil, fmt.Errorf("an index of %d bytes is more than %d", f.Size(), maxHeader)
	}
	b, err := f.Bytes(0, f.Size())
	if err != nil {
		return nil, err
	}
	return decodeIndex(b)
}

func decodeIndex(b []byte) (map[string]string, error) {
	var where map[string]string
	s := scanner{json.NewDecoder(bytes.NewReader(b))}
	err := s.object(func(key string) error {
		if key != "weight_map" {
			return s.Decode(new(json.RawMessage))
		}
		if where != nil {
			return errors.New("weight_map is given twice")
		}
		where = map[string]string{}
		return s.object(func(name string) error {
			if where[name] != "" {
				return fmt.Errorf("tensor %q is given twice", name)
			}
			file, err := s.text()
			if err == nil && (file == "" || file == "." || file == ".." || filepath.Base(file) != file || !filepath.IsLocal(file)) {
				err = fmt.Errorf("tensor %q is to be in %q, which is no file's name", name, file)
			}
			where[name] = file
			return err
		})
	})
	if err == nil {
		err = s.end()
	}
	if err == nil && len(where) == 0 {
		err = errors.New("it has no weight_map, or an empty one: it is no index of weights")
	}
	if err != nil {
		return nil, err
	}
	return where, nil
}

// encodeIndex writes an index.
func encodeIndex(where map[string]string, total int) ([]byte, error) {
	var x struct {
		Metadata struct {
			TotalSize int `json:"total_size"`
		} `json:"metadata"`
		WeightMap map[string]string `json:"weight_map"`
	}
	x.Metadata.TotalSize, x.WeightMap = total, where
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(x)
	return b.Bytes(), err
}
