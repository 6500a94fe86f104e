package measure

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"pare/dataset"
	"pare/graph"
	"pare/report"
)

// ModelCard is the page of Markdown that goes beside a network's file, as model hubs
// want it: what it is, how it was made, what it measured, how to load it, and where
// that ends. before is the network that it was made of, nil where there is none; from
// says how. Both have been measured by Networks.
func ModelCard(n, before *Network, d *dataset.Data, from *Origin) string {
	var b strings.Builder
	frontMatter(&b, n, before, d, from)
	file := n.base()
	ns := []*Network{n}
	if before != nil {
		ns = []*Network{before, n}
	}
	fmt.Fprintf(&b, "# %s\n\n", report.InProse(n.Name))
	for _, v := range Verdict(ns, d, from.Engine) {
		fmt.Fprintf(&b, "%s\n\n", report.InProse(v))
	}
	b.WriteString("## What was done\n\n")
	switch {
	case from.Method != "" && before != nil:
		fmt.Fprintf(&b, "Pruned from %s by %s", report.Code(before.base()), report.InProse(from.Method))
		if from.Paper != "" {
			fmt.Fprintf(&b, " (%s)", report.InProse(from.Paper))
		}
		b.WriteString(", with:\n\n")
	case n.How != "":
		fmt.Fprintf(&b, "Made by %s, with:\n\n", report.InProse(n.How))
	default:
		b.WriteString("Made with:\n\n")
	}
	fmt.Fprintf(&b, "%s\n\n## What it measured\n\n", fence("sh", from.Command))
	b.WriteString(outcomeTable(ns).Markdown())
	for s := range strings.SplitSeq(summary(ns, d, from), "\n\n") {
		fmt.Fprintf(&b, "%s\n\n", report.InProse(s))
	}
	loading(&b, n, file)
	limits(&b, n, d, from)
	b.WriteString("## How this was made\n\n")
	b.WriteString(report.FactsMarkdown(from.Facts(n)))
	return b.String()
}

// frontMatter is what a hub reads: YAML, whose strings are quoted as JSON's.
func frontMatter(b *strings.Builder, n, before *Network, d *dataset.Data, from *Origin) {
	tags := []string{"onnx", "pare"}
	if before != nil {
		tags = append(tags, "pruning", "compression")
		if n.Size.Sparsity() > .01 {
			tags = append(tags, "sparse")
		}
	}
	b.WriteString("---\nlibrary_name: onnx\ntags:\n")
	for _, t := range tags {
		fmt.Fprintf(b, "- %s\n", t)
	}
	if before != nil {
		fmt.Fprintf(b, "base_model: %s # put the name that it has on the hub\n", quoted(stem(before.base())))
	}
	if n.Metrics != nil && d != nil {
		fmt.Fprintf(b, "metrics:\n- %s\n", n.Metrics.Main().Name())
		fmt.Fprintf(b, "model-index:\n- name: %s\n  results:\n  - task:\n      type: other\n    dataset:\n      type: other\n      name: %s\n      split: %s\n", quoted(n.Name), quoted(from.Data), quoted(d.Eval().Name))
		b.WriteString("    metrics:\n")
		for _, s := range n.Metrics.Scores {
			fmt.Fprintf(b, "    - type: %s\n      value: %.6g\n", quoted(s.Metric), s.Value)
		}
		fmt.Fprintf(b, "    - type: loss\n      value: %.6g\n", n.Metrics.Loss)
	}
	b.WriteString("---\n\n")
}

func stem(path string) string { return strings.TrimSuffix(path, filepath.Ext(path)) }

// quoted is a string of YAML on one line.
func quoted(s string) string {
	b, _ := json.Marshal(s) // a string can always be written
	return string(b)
}

// fence is a block of code that its text cannot end.
func fence(lang, code string) string {
	ticks := "```"
	for strings.Contains(code, ticks) {
		ticks += "`"
	}
	return ticks + lang + "\n" + code + "\n" + ticks
}

// loading says how to run the file, with its own names and shapes.
func loading(b *strings.Builder, n *Network, file string) {
	b.WriteString("## How to load it\n\nWith ONNX Runtime:\n\n")
	onnx := file
	if strings.EqualFold(filepath.Ext(file), ".pare") {
		onnx = stem(file) + ".onnx"
		fmt.Fprintf(b, "%s\n\n", fence("sh", Quote("pare", "model", "convert", file, "-o", onnx)+"   # ONNX Runtime does not read Pare's sparse form"))
	}
	var feed, body []string
	if n.Graph != nil {
		for i, v := range n.Graph.Inputs {
			x := fmt.Sprintf("x%d", i)
			body = append(body, fmt.Sprintf("%s = np.zeros(%s, np.%s)", x, pythonShape(v), v.DType))
			feed = append(feed, fmt.Sprintf("%s: %s", quoted(v.Name), x))
		}
	}
	code := append([]string{"import numpy as np", "import onnxruntime as ort", "", "session = ort.InferenceSession(" + quoted(onnx) + ")"}, body...)
	code = append(code, "outputs = session.run(None, {"+strings.Join(feed, ", ")+"})")
	fmt.Fprintf(b, "%s\n\nWith Pare:\n\n%s\n\nand from Go, with `pare/dataset` for samples:\n\n", fence("python", strings.Join(code, "\n")), fence("sh", Quote("pare", "model", "run", file)))
	fmt.Fprintf(b, "%s\n\n", fence("go", "net, err := pare.Open("+quoted(file)+")\nsession, err := net.Session(32) // at most 32 samples at once"))
}

// pythonShape is a shape as NumPy wants it, with 1 for what is free.
func pythonShape(v *graph.Value) string {
	var out []string
	for _, d := range v.Shape {
		if d.Known() {
			out = append(out, d.String())
		} else {
			out = append(out, "1")
		}
	}
	if len(out) == 1 {
		return "(" + out[0] + ",)"
	}
	return "(" + strings.Join(out, ", ") + ")"
}

// limits says what was not measured.
func limits(b *strings.Builder, n *Network, d *dataset.Data, from *Origin) {
	b.WriteString("## Limits\n\n")
	switch {
	case n.Metrics == nil || d == nil:
		b.WriteString("- How good it is was not measured.\n")
	default:
		fmt.Fprintf(b, "- %s is that of one network on %s samples of the %s set of %s. Other data, and single classes, may have lost more than the mean.\n",
			capital(n.Metrics.Main().Name()), report.Count(int64(n.Metrics.N)).Text, report.InProse(d.Eval().Name), report.Code(from.Data))
		if d.Eval() == d.Train {
			b.WriteString("- There was no other set: it is measured on the samples that it was trained on.\n")
		}
		fmt.Fprintf(b, "- Inputs must be normalised as they were here: %s.\n", report.InProse(from.Norm))
	}
	if !n.Single.measured() {
		b.WriteString("- Time was not measured.\n")
	} else {
		fmt.Fprintf(b, "- Times are those of %s on %s. Another runtime or machine has other times.\n", report.InProse(from.Engine), report.InProse(from.Processor))
	}
	if n.Size.Sparsity() > .01 {
		b.WriteString("- Zeros among the weights make the file smaller only in Pare's sparse form or packed, and time shorter only where a runtime skips them: Pare's engine does, ONNX Runtime does not.\n")
	}
	b.WriteString("- The licence of the network that it was made of, and of the data, holds for it too; Pare does not know it.\n\n")
}
