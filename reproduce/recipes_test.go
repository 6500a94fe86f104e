package reproduce

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// Experiments say how they train: every recipe has a learning rate of its own, and
// leaves nothing to be found, clipped, undone or chosen.
func TestRecipes(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(x ast.Node) bool {
			if s, ok := x.(*ast.SelectorExpr); ok && (s.Sel.Name == "Defaults" || s.Sel.Name == "Explosion" || s.Sel.Name == "Clip") {
				t.Errorf("%v: %s", set.Position(x.Pos()), s.Sel.Name)
			}
			c, ok := x.(*ast.CompositeLit)
			if !ok {
				return true
			}
			if s, ok := c.Type.(*ast.SelectorExpr); !ok || s.Sel.Name != "Recipe" || len(c.Elts) == 0 {
				return true
			}
			n++
			has := map[string]bool{}
			for _, e := range c.Elts {
				has[e.(*ast.KeyValueExpr).Key.(*ast.Ident).Name] = true
			}
			if !has["LR"] || has["Clip"] || has["Explosion"] || has["Keep"] {
				t.Errorf("%v: a recipe with %v", set.Position(x.Pos()), has)
			}
			return true
		})
	}
	if n < 10 {
		t.Errorf("%d recipes were found", n)
	}
}
