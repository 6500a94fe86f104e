package sweep

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"pare/catalog"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// bounds of a file.
const (
	mostBytes = 1 << 18
	mostDepth = 32
)

// place is an error with where in the file it is.
type place struct {
	line, column int
	text         string
}

func (p *place) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", p.line, p.column, p.text)
}

// wrong is an error at a node.
func wrong(n ast.Node, format string, a ...any) error {
	p := &place{1, 1, fmt.Sprintf(format, a...)}
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 { // its token is the first colon
		n = m.Values[0].Key
	}
	if m, ok := n.(*ast.MappingValueNode); ok {
		n = m.Key
	}
	if t := n.GetToken(); t != nil && t.Position != nil {
		p.line, p.column = t.Position.Line, t.Position.Column
	}
	return p
}

// parse reads the one document of a file.
func parse(b []byte) (root ast.Node, err error) {
	switch {
	case len(b) > mostBytes:
		return nil, fmt.Errorf("it has %d bytes; %d are the most", len(b), mostBytes)
	case bytes.IndexByte(b, 0) >= 0:
		return nil, errors.New("it is no text")
	}
	if err := shallow(b); err != nil {
		return nil, err
	}
	defer func() {
		if r := recover(); r != nil { // of the parser, at what it has not foreseen
			root, err = nil, errors.New("it is no YAML that can be read")
		}
	}()
	f, err := parser.ParseBytes(b, 0)
	if err != nil {
		var at yaml.Error
		if errors.As(err, &at) && at.GetToken() != nil && at.GetToken().Position != nil {
			return nil, &place{at.GetToken().Position.Line, at.GetToken().Position.Column, at.GetMessage()}
		}
		return nil, err
	}
	for _, d := range f.Docs {
		switch {
		case d.Body == nil:
		case root != nil:
			return nil, wrong(d.Body, "a second document begins here: a file is one sweep")
		default:
			root = d.Body
		}
	}
	if root == nil {
		return nil, errors.New("it is empty")
	}
	return root, nil
}

// shallow bounds how deep a file can be, before a parser goes down.
func shallow(b []byte) error {
	depth := 0
	for i, line := range bytes.Split(b, []byte("\n")) {
		lead := 0
		for _, c := range line {
			switch c {
			case '[', '{':
				depth++
			case ']', '}':
				depth = max(0, depth-1)
			case '-', '?', ':', '!', '&', '*':
				lead++
			}
			if depth > mostDepth {
				return &place{i + 1, 1, fmt.Sprintf("it is more than %d deep", mostDepth)}
			}
		}
		if lead > 2000 || bytes.HasPrefix(line, []byte(strings.Repeat(" ", 8*mostDepth))) {
			return &place{i + 1, 1, fmt.Sprintf("it is more than %d deep", mostDepth)}
		}
	}
	return nil
}

// entry is a key of a mapping with its value.
type entry struct {
	name string
	key  ast.Node
	node ast.Node
}

// entries are those of a mapping, each name once; names that are not among known are errors,
// where known are given.
func entries(n ast.Node, what string, known ...string) (out []entry, err error) {
	var vs []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		vs = m.Values
	case *ast.MappingValueNode:
		vs = []*ast.MappingValueNode{m}
	default:
		return nil, wrong(n, "%s is a mapping, such as %q, not %s", what, "name: value", kindOf(n))
	}
	seen := map[string]bool{}
	for _, v := range vs {
		name, err := scalar(v.Key, "a key")
		if err != nil {
			return nil, err
		}
		if seen[name] {
			return nil, wrong(v.Key, "%s is given twice", name)
		}
		if seen[name] = true; known != nil && !contains(known, name) {
			return nil, wrong(v.Key, "%s", unknown(name, what, known))
		}
		out = append(out, entry{name, v.Key, v.Value})
	}
	return out, nil
}

func contains(words []string, x string) bool {
	for _, w := range words {
		if w == x {
			return true
		}
	}
	return false
}

// unknown says that a name is none of those that are known.
func unknown(name, what string, known []string) string {
	text := fmt.Sprintf("there is no %q in %s", name, what)
	if near := catalog.Nearest(name, known); near != "" {
		return text + "; did you mean " + near + "?"
	}
	return text + ": " + strings.Join(known, ", ") + " are known"
}

// items are those of a list; what is none is a list of one.
func items(n ast.Node) []ast.Node {
	if s, ok := n.(*ast.SequenceNode); ok {
		return s.Values
	}
	return []ast.Node{n}
}

// scalar is a text, number or truth value as the file writes it.
func scalar(n ast.Node, what string) (string, error) {
	switch x := n.(type) {
	case *ast.StringNode:
		return x.Value, nil
	case *ast.LiteralNode:
		return strings.TrimRight(x.Value.Value, "\n"), nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, nil
	case *ast.MappingKeyNode:
		return scalar(x.Value, what)
	}
	return "", wrong(n, "%s is a word or a number, not %s", what, kindOf(n))
}

// kindOf names what a node is.
func kindOf(n ast.Node) string {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.StringNode, *ast.LiteralNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return "a word or a number"
	case *ast.NullNode:
		return "nothing"
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		return "an anchor or what refers to one (they are not read here)"
	case *ast.TagNode:
		return "a tag"
	case *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value
	}
	return "that"
}
