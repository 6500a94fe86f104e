package measure

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"pare/dataset"
	"pare/engine"
	"pare/internal/kernel"
	"pare/onnx"
	"pare/report"
)

// Origin says how networks came about and were measured: enough to make them again,
// and to see that they are the ones.
type Origin struct {
	Date      time.Time         `json:"date"`
	Pare      string            `json:"pare"` // its version
	Command   string            `json:"command"`
	Method    string            `json:"method,omitempty"`
	Paper     string            `json:"paper,omitempty"`
	Settings  map[string]string `json:"settings,omitempty"` // of the method
	Recipe    map[string]string `json:"recipe,omitempty"`   // of the training, where there was one
	Seed      string            `json:"seed,omitempty"`
	Data      string            `json:"data,omitempty"` // as it was named
	Norm      string            `json:"norm,omitempty"` // what numbers the network reads
	Sets      []SetFact         `json:"sets,omitempty"`
	Files     []FileFact        `json:"files,omitempty"`
	Processor string            `json:"processor"`
	Threads   int               `json:"threads"`
	Engine    string            `json:"engine"` // whose times they are
}

// SetFact is a set of samples.
type SetFact struct {
	Name    string `json:"name"`
	Samples int    `json:"samples"`
	SHA256  string `json:"sha256"` // over samples and labels as they are stored
}

// FileFact is a file that was read or written.
type FileFact struct {
	Name   string `json:"name"` // of the network
	Path   string `json:"path"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Threads is the number of threads that an engine with these options takes.
func Threads(o engine.Options) int {
	if o.Threads > 0 {
		return o.Threads
	}
	return runtime.GOMAXPROCS(0)
}

// EngineName says whose times are measured: "Pare's engine, 2 threads".
func EngineName(o engine.Options) string {
	if n := Threads(o); n != 1 {
		return fmt.Sprintf("Pare's engine, %d threads", n)
	}
	return "Pare's engine, one thread"
}

// Processor names the processor, and the widest instructions that the engine uses.
func Processor() string {
	name := runtime.GOARCH
	b, _ := os.ReadFile("/proc/cpuinfo") // there is none on other systems
	for l := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(k) == "model name" {
			name = strings.TrimSpace(v)
			break
		}
	}
	return fmt.Sprintf("%s (%s)", name, kernel.Level())
}

// NewOrigin notes machine, files and data. It returns an error where a file is there
// and cannot be read.
func NewOrigin(ns []*Network, d *dataset.Data, o engine.Options) (*Origin, error) {
	x := &Origin{Date: time.Now().Truncate(time.Second), Processor: Processor(), Threads: Threads(o), Engine: EngineName(o)}
	for _, n := range ns {
		paths, err := onnx.Files(n.File)
		if err != nil {
			return nil, err
		}
		for _, p := range paths {
			f, err := fileFact(n.Name, p)
			if err != nil {
				return nil, err
			}
			x.Files = append(x.Files, f)
		}
	}
	if d == nil {
		return x, nil
	}
	x.Data, x.Norm = d.Spec, normText(d)
	for _, s := range []*dataset.Set{d.Train, d.Val, d.Test} {
		if s != nil {
			x.Sets = append(x.Sets, SetFact{s.Name, s.Len(), s.Digest()})
		}
	}
	return x, nil
}

func fileFact(name, path string) (FileFact, error) {
	f, err := os.Open(path)
	if err != nil {
		return FileFact{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return FileFact{name, path, n, hex.EncodeToString(h.Sum(nil))}, err
}

// normText is the name of a normalisation and its numbers.
func normText(d *dataset.Data) string {
	list := func(x []float32) string { return strings.Trim(fmt.Sprint(x), "[]") }
	n := d.Norm
	return strings.TrimSpace(fmt.Sprintf("%s: (stored value × %.6g − mean %s) / deviation %s", d.NormName, n.Scale, list(n.Mean), list(n.Std)))
}

// Facts are the lines of a report's box, of these networks.
func (x *Origin) Facts(ns ...*Network) []report.Fact {
	var out []report.Fact
	add := func(name, text string) {
		if text != "" {
			out = append(out, report.Fact{Name: name, Text: text})
		}
	}
	code := func(name, text string) {
		if text != "" {
			out = append(out, report.Fact{Name: name, Text: text, Code: true})
		}
	}
	code("command", x.Command)
	add("method", strings.TrimSuffix(x.Method+", "+x.Paper, ", "))
	for _, n := range ns {
		add("how "+n.Name+" was made", n.How)
	}
	add("settings of the method", pairs(x.Settings))
	add("recipe of the training", pairs(x.Recipe))
	add("seed", x.Seed)
	code("data", x.Data)
	add("normalisation", x.Norm)
	for _, s := range x.Sets {
		code(fmt.Sprintf("%s set", s.Name), fmt.Sprintf("%s samples, SHA-256 %s", report.Count(int64(s.Samples)).Text, s.SHA256))
	}
	for _, f := range x.Files {
		code(fmt.Sprintf("file of %s", f.Name), fmt.Sprintf("%s, %s bytes, SHA-256 %s", f.Path, report.Count(f.Bytes).Text, f.SHA256))
	}
	add("times", x.Engine)
	add("processor", x.Processor)
	add("date", x.Date.Format("2006-01-02 15:04 MST"))
	add("Pare", x.Pare)
	return out
}

// pairs writes settings as "a 1, b 2", in the order of their names; what is off or
// not given is left out.
func pairs(m map[string]string) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		switch v := m[k]; v {
		case "", "false":
		case "true":
			out = append(out, k)
		default:
			out = append(out, k+" "+v)
		}
	}
	return strings.Join(out, ", ")
}

// Quote writes a command line that a shell takes as these arguments.
func Quote(args ...string) string {
	var out []string
	for _, a := range args {
		if a == "" || strings.ContainsFunc(a, func(r rune) bool { return !plain(r) }) {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		out = append(out, a)
	}
	return strings.Join(out, " ")
}

// plain says whether a character means itself to every shell, wherever it stands.
func plain(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_@%+:,./-", r)
}

// base is the name of a network's file, or of the network where it has none.
func (n *Network) base() string {
	if n.OnDisk == 0 {
		return n.Name
	}
	return filepath.Base(n.File)
}
