package files

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pare/graph"
	"pare/lm/family"
	"pare/safetensors"

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
	b, err := cfg.JSON()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	var infos []safetensors.Info
	for _, name := range slices.SortedFunc(maps.Keys(ws), natural) {
		infos = append(infos, safetensors.Info{Name: name, DType: ws[name].DType, Shape: ws[name].Shape})
	}
	w, err := safetensors.CreateFolder(dir, infos, 0, nil)
	if err != nil {
		return nil, err
	}
	defer w.Abort()
	for _, i := range infos {
		if err := w.Write(i.Name, ws[i.Name]); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if err := renameio.WriteFile(filepath.Join(dir, config), append(b, '\n'), 0o644); err != nil {
		return nil, err
	}
	if ok, why := cfg.Loads(); !ok {
		notes = append(notes, "transformers does not load it: "+why+"; Pare does, by the entry \"pare\" of config.json")
	}
	has, err := from.copyBeside(dir)
	if err == nil && !has {
		text := "the folder has no tokenizer"
		if from != nil && from.Meta != nil {
			text += ": that of a GGUF file is in its metadata, which only another GGUF file holds"
		}
		notes = append(notes, text+"; put the model's tokenizer.json into it")
	}
	return notes, err
}

// copyBeside copies what lies beside the weights, and says whether a tokenizer was there.
func (f *File) copyBeside(dir string) (tokens bool, err error) {
	if f == nil || f.Meta != nil {
		return false, nil
	}
	for _, name := range beside {
		b, err := Small(filepath.Join(f.Path, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = renameio.WriteFile(filepath.Join(dir, name), b, 0o644)
		}
		if err != nil {
			return false, err
		}
		tokens = tokens || strings.HasPrefix(name, "tokenizer.") || name == "vocab.json" || name == "vocab.txt"
	}
	return tokens, nil
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
