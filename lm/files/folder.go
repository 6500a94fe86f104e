package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pare/graph"
	"pare/lm/family"
	"pare/safetensors"
	"pare/tensor"

	"github.com/google/renameio/v2"
)

const tokenizerFile = "tokenizer.json"

// beside are the files of a folder that pruning leaves as they are: the tokenizer, how a chat
// is written, how texts are drawn, and what may be done with the model.
var beside = []string{
	tokenizerFile, "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "vocab.txt", "tokenizer.model", "spiece.model",
	"chat_template.jinja", "chat_template.json", "generation_config.json", "LICENSE", "LICENSE.txt", "LICENSE.md", "NOTICE", "NOTICE.txt",
}

// WriteFolder writes a network that File.Graph or family.Build made, pruned or not, as a folder
// of Hugging Face: config.json, the weights in the types in which they were stored, and what
// lies beside those of the original, which may be nil. What is there already is replaced. It
// returns notes on what a reader of the folder should know, and the errors of
// [family.Weights].
func WriteFolder(dir string, g *graph.Graph, from *File) (notes []string, err error) {
	cfg, ws, err := family.Weights(g)
	if err != nil {
		return nil, err
	}
	var infos []family.Stored
	for name, t := range ws {
		infos = append(infos, family.Stored{Name: name, DType: t.DType, Shape: t.Shape})
	}
	w, err := CreateFolder(dir, cfg, infos, from)
	if err != nil {
		return nil, err
	}
	defer w.Abort()
	for _, name := range w.Names {
		if err := w.Write(name, ws[name]); err != nil {
			return nil, err
		}
	}
	return w.Close()
}

// Folder is a folder that is written weight by weight. Until Close nothing of it is in its
// place.
type Folder struct {
	Names []string // of the weights, in their order

	dir    string
	made   bool // the folder was not there
	config *family.Config
	json   []byte
	from   *File
	w      *safetensors.Writer
}

// CreateFolder begins a folder of weights as WriteFolder writes it. The caller ends it by Close
// or Abort.
func CreateFolder(dir string, cfg *family.Config, weights []family.Stored, from *File) (*Folder, error) {
	f := &Folder{dir: dir, config: cfg, from: from}
	var err error
	if f.json, err = cfg.JSON(); err != nil {
		return nil, err
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		f.made = true
	}
	var infos []safetensors.Info
	for _, x := range slices.SortedFunc(slices.Values(weights), func(a, b family.Stored) int { return natural(a.Name, b.Name) }) {
		infos = append(infos, safetensors.Info{Name: x.Name, DType: x.DType, Shape: x.Shape})
		f.Names = append(f.Names, x.Name)
	}
	if f.w, err = safetensors.CreateFolder(dir, infos, 0, nil); err != nil {
		f.Abort()
		return nil, err
	}
	return f, nil
}

// Write writes a weight; they may come in any order.
func (f *Folder) Write(name string, t *tensor.Tensor) error { return f.w.Write(name, t) }

// Abort throws away what was written, and the folder where there was none. After Close it does
// nothing.
func (f *Folder) Abort() {
	if f.w != nil {
		f.w.Abort()
	}
	if f.made {
		os.Remove(f.dir) //nolint:errcheck // it stays where there is something in it
	}
	f.w, f.made = nil, false
}

// Close puts the files in their places, with what lies beside the weights. It returns an error
// where a weight is missing, and notes on what a reader of the folder should know.
func (f *Folder) Close() (notes []string, err error) {
	defer f.Abort()
	if err := f.w.Close(); err != nil {
		return nil, err
	}
	f.made = false
	if err := renameio.WriteFile(filepath.Join(f.dir, config), append(f.json, '\n'), 0o644); err != nil {
		return nil, err
	}
	if ok, why := f.config.Loads(); !ok {
		notes = append(notes, "transformers does not load it: "+why+"; Pare does, by the entry \"pare\" of config.json")
	}
	has, left, err := f.from.copyBeside(f.dir)
	if len(left) > 0 {
		notes = append(notes, fmt.Sprintf("%s held the tokenizer in another form, with the tokens that are gone, and are left out: tokenizer.json has it", list(left)))
	}
	if err == nil && !has {
		text := "the folder has no tokenizer"
		if f.from != nil && f.from.Meta != nil {
			text += ": that of a GGUF file is in its metadata, which only another GGUF file holds"
		}
		notes = append(notes, text+"; put the model's tokenizer.json into it")
	}
	return notes, err
}

// copyBeside copies what lies beside the weights, and says whether a tokenizer was there and
// which files are left out.
func (f *File) copyBeside(dir string) (tokens bool, left []string, err error) {
	if f == nil || f.Meta != nil {
		return false, nil, nil
	}
	for _, name := range beside {
		b, err := Small(filepath.Join(f.Path, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			b, err = f.vocabulary.file(name, b)
		}
		if err == nil && b != nil {
			err = renameio.WriteFile(filepath.Join(dir, name), b, 0o644)
		}
		if err != nil {
			return false, nil, err
		}
		if b == nil {
			left = append(left, name)
		}
		tokens = tokens || b != nil && (strings.HasPrefix(name, "tokenizer.") || name == "vocab.json" || name == "vocab.txt")
	}
	return tokens, left, nil
}

// natural orders names with the numbers in them as numbers: layer 2 before layer 10.
func natural(a, b string) int {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(x), len(y)) {
		if x[i] == y[i] {
			continue
		}
		if digits(x[i]) && digits(y[i]) && len(x[i]) != len(y[i]) {
			return len(x[i]) - len(y[i])
		}
		return strings.Compare(x[i], y[i])
	}
	return len(x) - len(y)
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// list writes words in order with commas.
func list(words []string) string {
	slices.Sort(words)
	return strings.Join(words, ", ")
}

// Remembered says whether a network knows the config.json that it was built from, so that it
// can be written as a folder.
func Remembered(g *graph.Graph) error {
	if !slices.ContainsFunc(g.Meta.Props, func(p graph.Prop) bool { return p.Key == family.Property }) {
		return fmt.Errorf("the network was not built from a config.json, so that there is none to write")
	}
	return nil
}
