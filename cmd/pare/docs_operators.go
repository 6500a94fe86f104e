package main

import (
	"fmt"
	"strings"

	"pare/engine"
	"pare/graph/op"
	"pare/prune/structure"
)

// operatorsPage lists what Pare knows of each operator of ai.onnx.
func operatorsPage() string {
	var b strings.Builder
	names := op.Names("")
	b.WriteString("# Operators\n\n" + generated)
	fmt.Fprintf(&b, "The %d operators of `ai.onnx` that Pare knows. Each is inferred and evaluated by its definition, in float64, float32,\n"+
		"float16, bfloat16, integers and bool as ONNX admits them, at the opset that the file says; files of opsets 1 to 6 are brought to 7 on\n"+
		"reading, and functions are written out. [conformance.md](conformance.md) has what ONNX's own cases say, by name.\n\n", len(names))
	b.WriteString("- *gradient*: its own, by being written out as simpler operators, or none, and why.\n" +
		"- *engine*: a kernel of its own for float32, the kernels of what it is written out as, or its definition.\n" +
		"- *channels*: `rule` where coupled channels are followed through it; what touches the others is left whole and named.\n\n")
	b.WriteString("| operator | gradient | engine | channels |\n|---|---|---|---|\n")
	for _, n := range names {
		d := op.Lookup("", n)
		gradient := "own"
		if why := op.NoDerivative("", n); why != "" {
			gradient = "none: " + why
		} else if d.Grad == nil {
			gradient = "written out"
		}
		kernel := "definition"
		switch {
		case engine.HasKernel(n):
			kernel = "kernel"
		case engine.WritesOut(n):
			kernel = "written out"
		}
		rule := ""
		if structure.Lookup("", n) != nil {
			rule = "rule"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", n, gradient, kernel, rule)
	}
	b.WriteString("\nNot known: operators on sequences, optional values, strings and images, and those of the domains `ai.onnx.ml` and\n" +
		"`ai.onnx.preview.training`; element types of less than 16 bits that are not int8, uint8 or bool.\n")
	return b.String()
}
