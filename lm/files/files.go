// Package files reads language models from their files as graphs and writes them back: a
// folder as Hugging Face has them (config.json, safetensors, the tokenizer's files) and a GGUF
// file of llama.cpp.
//
// [Open] opens either, [File.Graph] gives the network, [WriteFolder] and [WriteGGUF] write what
// is left of it with all that the original had beside its weights.
package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pare/gguf"
	"pare/graph"
	"pare/lm/family"
	"pare/safetensors"
	"pare/tokenizer"
)

// Is says whether a path is that of a language model: a folder with a config.json, or a file
// that ends in .gguf.
func Is(path string) bool {
	st, err := os.Stat(path)
	if err != nil {
		return false
	}
	if st.IsDir() {
		_, err := os.Stat(filepath.Join(path, config))
		return err == nil
	}
	return IsGGUF(path)
}

// IsGGUF says whether a path ends in .gguf.
func IsGGUF(path string) bool { return strings.EqualFold(filepath.Ext(path), ".gguf") }

const config = "config.json"

// File is a language model's files, open.
type File struct {
	Path   string
	Config *family.Config
	Notes  []string  // what was assumed
	Meta   gguf.Meta // of a GGUF file; nil of a folder

	made  gguf.Meta // of a folder, for a GGUF file; nil: not made yet
	src   family.Source
	names []string // of a GGUF file's tensors, in its order

	quantised  []string    // types of blocks among the tensors
	vocabulary *vocabulary // what is left of it; nil: all
	close      func() error
}

// Open opens a folder or a GGUF file. It returns an error that names what is missing or not
// understood; weights are not read.
func Open(path string) (f *File, err error) {
	f = &File{Path: path}
	if IsGGUF(path) {
		err = f.gguf()
	} else {
		err = f.folder()
	}
	if err != nil {
		if f.close != nil {
			f.close() //nolint:errcheck // nothing was written
		}
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

func (f *File) gguf() error {
	g, err := gguf.Open(f.Path)
	if err != nil {
		return err
	}
	f.close, f.Meta, f.names = g.Close, g.Meta, g.Names()
	if f.Config, f.src, err = ggufModel(g); err != nil {
		return err
	}
	f.quantised = blocks(g.Tensors)
	if f.quantised != nil {
		f.Notes = append(f.Notes, fmt.Sprintf("weights stored in blocks (%s) are taken as the float32 numbers that they stand for", list(f.quantised)))
	}
	return nil
}

// blocks lists the types of tensors that are stored as blocks of whole numbers.
func blocks(ts []gguf.Tensor) (out []string) {
	for _, t := range ts {
		switch t.Type {
		case gguf.F32, gguf.F16, gguf.BF16, gguf.F64:
		default:
			if name := t.Type.String(); !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

func (f *File) folder() error {
	b, err := Small(filepath.Join(f.Path, config))
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("the folder has no config.json: it is no model of Hugging Face")
	}
	if err != nil {
		return err
	}
	if f.Config, err = family.Read(b); err != nil {
		return err
	}
	r, err := safetensors.OpenFolder(f.Path)
	if err != nil {
		return err
	}
	f.src, f.close = r, r.Close
	return nil
}

// Graph builds the network (see [family.Build]). The files must stay open as long as it is in
// use: its weights may be views of them, which never write to the disk.
func (f *File) Graph() (*graph.Graph, error) {
	g, err := family.Build(f.Config, f.src)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	return g, nil
}

// Load reads the weights (see [family.Load]). The files must stay open as long as they are in
// use, which may be views of them.
func (f *File) Load() (*family.Model, error) { return family.Load(f.Config, f.src) }

// Parts gives the network block by block (see [family.Split]). The files must stay open as long
// as it is in use.
func (f *File) Parts() (*family.Parts, error) {
	src, ok := f.src.(family.Lazy)
	if !ok {
		return nil, fmt.Errorf("%s: its weights are only read as a whole", f.Path)
	}
	p, err := family.Split(f.Config, src)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	return p, nil
}

// Quantised says whether weights are stored as blocks of whole numbers.
func (f *File) Quantised() bool { return f.quantised != nil }

// Tokenizer reads the model's own tokenizer; nil where a folder has none.
func (f *File) Tokenizer() (*tokenizer.Tokenizer, error) {
	if f.Meta != nil {
		return fromMeta(f.Meta)
	}
	t, err := ReadTokenizer(filepath.Join(f.Path, tokenizerFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return t, err
}

// ReadTokenizer reads a tokenizer.json.
func ReadTokenizer(path string) (*tokenizer.Tokenizer, error) {
	b, err := Small(path)
	if err != nil {
		return nil, err
	}
	t, err := tokenizer.Read(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// Stamp tells the files of the model from others, and from these once they have changed: by name,
// size and the time of their last change.
func (f *File) Stamp() (out []string, err error) {
	paths := []string{f.Path}
	if f.Meta == nil {
		es, err := os.ReadDir(f.Path)
		if err != nil {
			return nil, err
		}
		paths = []string{filepath.Join(f.Path, config)}
		for _, e := range es {
			if strings.Contains(e.Name(), ".safetensors") && !strings.HasPrefix(e.Name(), ".") {
				paths = append(paths, filepath.Join(f.Path, e.Name()))
			}
		}
	}
	for _, path := range paths {
		st, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		out = append(out, fmt.Sprintf("%s, %d bytes, %d", filepath.Base(path), st.Size(), st.ModTime().UnixNano()))
	}
	return out, nil
}

// Close closes the files.
func (f *File) Close() error { return f.close() }

func fromMeta(m gguf.Meta) (*tokenizer.Tokenizer, error) {
	all := map[string]any{}
	for _, x := range m {
		all[x.Key] = x.Value
	}
	return tokenizer.FromGGUF(all)
}

// largest bounds the small files of a folder.
const largest = 256 << 20

// Small reads a file beside the weights, which are large.
func Small(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, largest+1))
	if len(b) > largest {
		err = fmt.Errorf("%s has more than %d bytes", filepath.Base(path), largest)
	}
	return b, err
}
