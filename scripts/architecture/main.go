// Command architecture draws the packages into docs/architecture.md as they are:
// floor by floor, with what each is for and what it imports.
//
//	go run ./scripts/architecture docs/architecture.md
package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"pare/internal/house"

	"github.com/google/renameio/v2"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: architecture FILE.md")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "architecture:", err)
		os.Exit(1)
	}
}

// The drawing stands between these lines.
const (
	begin = "<!-- drawn by go run ./scripts/architecture docs/architecture.md -->"
	end   = "<!-- end of the drawing -->"
)

func run(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, ok := bytes.Cut(text, []byte(begin))
	_, after, ok2 := bytes.Cut(rest, []byte(end))
	if !ok || !ok2 {
		return fmt.Errorf("%s has no lines %q and %q to draw between", file, begin, end)
	}
	drawing, err := draw(".")
	if err != nil {
		return err
	}
	out := fmt.Sprintf("%s%s\n%s%s%s", before, begin, drawing, end, after)
	return renameio.WriteFile(file, []byte(out), 0o644)
}

// draw writes the table, from the top floor down.
func draw(root string) (string, error) {
	packages, err := house.Read(root)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("\n| floor | package | what it is | imports |\n|---|---|---|---|\n")
	for i := len(house.Floors) - 1; i >= 0; i-- {
		f := house.Floors[i]
		fmt.Fprintf(&b, "| %d | | **%s** | |\n", i, f.What)
		for _, name := range f.Packages {
			p := packages[name]
			if p == nil {
				return "", fmt.Errorf("there is no package %s", name)
			}
			fmt.Fprintf(&b, "| | `%s` | %s | %s |\n", title(name), sentence(p.Doc), strings.Join(nearest(packages, p), ", "))
		}
	}
	b.WriteString("\n")
	return b.String(), nil
}

// title is the name of a package for a reader.
func title(folder string) string {
	if folder == "." {
		return "pare"
	}
	return folder
}

// sentence is what the comment says, without the package's name.
func sentence(doc string) string {
	for _, lead := range []string{"Package ", "Command "} {
		if rest, ok := strings.CutPrefix(doc, lead); ok {
			_, doc, _ = strings.Cut(rest, " ")
			break
		}
	}
	return strings.ReplaceAll(strings.TrimSuffix(strings.TrimSpace(doc), "."), "|", "\\|")
}

// nearest are the imports that no other import has among its own.
func nearest(packages map[string]*house.Package, p *house.Package) []string {
	var out []string
	for _, i := range p.Imports {
		through := false
		for _, k := range p.Imports {
			through = through || k != i && reaches(packages, k, i)
		}
		if !through {
			out = append(out, "`"+title(i)+"`")
		}
	}
	return out
}

func reaches(packages map[string]*house.Package, from, to string) bool {
	p := packages[from]
	if p == nil {
		return false
	}
	for _, i := range p.Imports {
		if i == to || reaches(packages, i, to) {
			return true
		}
	}
	return false
}
