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
	otherDomains(&b)
	b.WriteString("\n## Not known\n\nOperators on sequences, optional values, strings and images, and those of `ai.onnx.preview.training`; quantised\n" +
		"mixtures of experts (QMoE of `com.microsoft`) and the sparse mixer of MoE; element types of less than 16 bits that are not int8, uint8, int4, uint4 or bool. A file with an operator that is not known opens: `pare model inspect` shows\n" +
		"it, `pare model run` runs it up to that operator, and `pare model prune` leaves whole what the operator touches. It is not\n" +
		"trained or timed; a program of its own adds the operator with `op.Register`.\n")
	return b.String()
}

// otherDomains says what is read of com.microsoft and ai.onnx.ml.
func otherDomains(b *strings.Builder) {
	for _, d := range []struct{ domain, title, text string }{
		{op.ContribDomain, "Operators of ONNX Runtime", "ONNX Runtime's optimiser and the exporters of language models write operators of the domain `com.microsoft`. They are read as the\n" +
			"operators of `ai.onnx` that they stand for, so that their weights are found, their heads and channels are cut and gradients\n" +
			"flow, and a network that is written has these in their place: names, types and outputs stay, and ONNX Runtime fuses them\n" +
			"again. A form that is not known (a cache that is quantised, scores that are shown) is left as it is and named."},
		{op.LearnedDomain, "Operators of classical machine learning", "Those of `ai.onnx.ml` that stand before and behind networks. Coefficients of linear models are read as weights."},
	} {
		var own []string
		for _, n := range op.Names(d.domain) {
			gradient := "written out or own"
			if why := op.NoDerivative(d.domain, n); why != "" {
				gradient = "none: " + why
			}
			own = append(own, fmt.Sprintf("| %s | %s |", n, gradient))
		}
		fmt.Fprintf(b, "\n## %s\n\n%s\n\nRead as operators of `ai.onnx`: %s.\n\nOperators of their own, which a file that is written keeps:\n\n| operator | gradient |\n|---|---|\n%s\n",
			d.title, d.text, strings.Join(op.WrittenOut(d.domain), ", "), strings.Join(own, "\n"))
	}
	b.WriteString("\nMatMulNBits and GatherBlockQuantized stay, since weights of 4 bits would take twice the bytes as integers of 8 bits, and the\n" +
		"runtime would not find its kernels again; their weights are counted by their numbers, and left whole. The output of a ZipMap\n" +
		"is computed as the tensor that it is given, a column for each key; the file that is written keeps its maps. An MoE stays, so that\n" +
		"only the experts are computed that tokens are given to; its gradient is that of the mixture written out, in which every expert computes every\n" +
		"token. Its experts are cut by method `experts`, the width within them and of the tokens by method `channels`.\n")
}
