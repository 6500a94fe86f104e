// Package house is the plan of this repository: which package stands on which
// floor. A package imports only from floors below it. Tests hold the code to the
// plan, and scripts/architecture draws it for the documentation.
package house

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// module is the module's path.
const module = "pare"

// Floor is packages that do not import each other, by their folders.
type Floor struct {
	What     string
	Packages []string
}

// Floors is the plan, from the ground up.
var Floors = []Floor{
	{"Text that is safe to show", []string{"internal/printable"}},
	{"Loops over plain slices; words that know no network", []string{"internal/kernel", "internal/hostile", "internal/journal", "internal/mapped", "internal/openai", "onnx/onnxpb", "catalog", "report", "prune/schedule", "prune/evolve", "tokenizer", "internal/jinja", "internal/house"}},
	{"Arrays; language models as an interface; conversations as texts; laws of scaling; clusters", []string{"tensor", "internal/kmeans", "lm", "tokenizer/chat", "scaling"}},
	{"The network as a value; what a set of weights is; language models over a network; nearest neighbours", []string{"graph", "weights", "lm/endpoint", "lm/serve", "neighbours"}},
	{"What each operator is; files of arrays", []string{"graph/op", "graph/op/cases", "sharing", "npy", "safetensors", "gguf", "llama2c"}},
	{"Files, plans, samples, families of networks; candidates and masks", []string{"onnx", "engine", "dataset", "zoo", "prune", "internal/randnet"}},
	{"Coupled channels and surgery; weights as products; what training makes small; networks of streams; families of language models; what is wrong with samples", []string{"prune/structure", "prune/lowrank", "train/objective", "continual", "lm/family", "data/hygiene"}},
	{"How much a candidate matters; what goes into a layer; whole blocks; experts; language models token by token, and their files", []string{"prune/score", "prune/calibrate", "prune/block", "prune/expert", "lm/decode", "lm/files"}},
	{"How much of each layer stays; networks as integers; how good a network is; writing texts", []string{"prune/allocate", "prune/quantise", "train/metric", "lm/generate"}},
	{"Learning; language models on this machine", []string{"train", "lm/local"}},
	{"Pruning while training; what a training made of its samples; measuring; what a run was; claims and verdicts", []string{"prune/hook", "train/dynamics", "measure", "run", "evidence"}},
	{"Runs as a table, as other tools have them, and as they travel", []string{"run/index", "run/export", "run/job"}},
	{"A search over many runs; runs through a queue", []string{"run/sweep", "run/queue"}},
	{"What a method is and works on: of networks, of training sets", []string{"model", "data"}},
	{"Families of methods; runs in a browser", []string{"run/serve", "model/oneshot", "model/calibrated", "model/gradual", "model/atinit", "model/learned", "model/tickets", "model/structured", "model/rewrite", "model/search", "model/federated", "model/lowbit", "data/score", "data/coreset", "data/transfer"}},
	{"What follows another method; language models block by block; was it worth it?", []string{"model/language", "model/blockwise", "model/diagnose"}},
	{"The catalogue; sweeps", []string{"model/all", "data/all", "model/sweep", "model/advise"}},
	{"Training sets compared", []string{"data/sweep"}},
	{"The papers' claims, put to the test", []string{"reproduce"}},
	{"The front door", []string{"."}},
	{"Programs", []string{"cmd/pare", "bench", "bench/neighbours", "interop", "internal/answer", "internal/familytest", "internal/lmtest", "internal/modeltest", "internal/oracle", "scripts/architecture", "scripts/cifar10", "scripts/largemodel", "scripts/mutants", "scripts/sweeps", "scripts/tasks"}},
}

// Package is a package as its files say.
type Package struct {
	Folder  string
	Doc     string   // first sentence of its comment
	Imports []string // folders of this module's packages, sorted; those of tests left out
	Files   []string // paths below the root, tests left out
}

// Read lists the packages below a root, by folder. Modules of their own are left
// out.
func Read(root string) (map[string]*Package, error) {
	out := map[string]*Package{}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if file != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "gen") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		return read(out, file, filepath.ToSlash(rel))
	})
	for _, p := range out {
		slices.Sort(p.Imports)
		p.Imports = slices.Compact(p.Imports)
	}
	return out, err
}

// read adds a file to its package.
func read(out map[string]*Package, file, rel string) error {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return err
	}
	folder := path.Dir(rel)
	p := out[folder]
	if p == nil {
		p = &Package{Folder: folder}
		out[folder] = p
	}
	p.Files = append(p.Files, rel)
	if text := comment(f); text != "" {
		p.Doc = text
	}
	for _, i := range f.Imports {
		at := strings.Trim(i.Path.Value, `"`)
		if at == module {
			p.Imports = append(p.Imports, ".")
		} else if below, ok := strings.CutPrefix(at, module+"/"); ok {
			p.Imports = append(p.Imports, below)
		}
	}
	return nil
}

// comment is the first sentence of a package's comment.
func comment(f *ast.File) string {
	if f.Doc == nil {
		return ""
	}
	return new(doc.Package).Synopsis(f.Doc.Text())
}

// Level is the floor of each package of the plan.
func Level() map[string]int {
	out := map[string]int{}
	for i, f := range Floors {
		for _, p := range f.Packages {
			out[p] = i
		}
	}
	return out
}
