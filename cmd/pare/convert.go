package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"pare/graph/op"
	"pare/lm/files"
	"pare/onnx"

	"github.com/spf13/cobra"
)

// conversion is what the flags of convert say.
type conversion struct {
	to             destination
	weights        string
	options        onnx.Options
	simplify, wide bool
	force          bool
}

func (c *cli) convert() *cobra.Command {
	q := &conversion{}
	cmd := &cobra.Command{Use: "convert FILE|ARCH -o OUT", Short: "Write a network in another form: .onnx, Pare's sparse form .pare, or its weights as .safetensors; of a language model also .gguf", Args: args("FILE|ARCH"),
		Example: `  pare model convert net.onnx -o net.pare               # zeros take less than a bit each
  pare model convert net.onnx -o net16.pare --half
  pare model convert net.pare -o net.onnx
  pare model convert net.onnx -o sparse.onnx --sparse   # ONNX sparse_initializer
  pare model convert net.onnx -o net.safetensors        # the weights alone
  pare model convert MODEL/ -o model.gguf --gguf-type q8_0  # a folder of a Llama, Qwen2 or Qwen3
  pare model convert resnet20 --weights resnet20.safetensors -o net.onnx`,
		RunE: func(cmd *cobra.Command, a []string) error { return c.runConvert(cmd, a[0], q) }}
	f := cmd.Flags()
	f.StringVarP(&q.to.path, "output", "o", "", "file to write")
	q.to.flags(f)
	f.StringVar(&q.weights, "weights", "", weightsHelp)
	f.BoolVar(&q.options.Sparse, "sparse", false, "ONNX: sparse weights as sparse_initializer")
	f.BoolVar(&q.options.External, "external", false, "ONNX: weights in a file beside the model")
	f.BoolVar(&q.options.Half, "half", false, "round the weights to float16 in Pare's sparse form")
	f.BoolVar(&q.wide, "float32", false, "turn float16, bfloat16 and float64 numbers into float32")
	f.BoolVar(&q.simplify, "simplify", false, "fold constants and remove nodes that do nothing")
	f.BoolVar(&q.force, "force", false, "write over the input network")
	return cmd
}

func (c *cli) runConvert(cmd *cobra.Command, name string, q *conversion) error {
	if q.to.path == "" {
		return usage("no output: give -o OUT.onnx, OUT.pare or OUT.safetensors; of a language model also OUT.gguf")
	}
	if err := q.to.settle(cmd); err != nil {
		return err
	}
	ext := strings.ToLower(filepath.Ext(q.to.path))
	if ext == ".gguf" {
		return c.convertGGUF(name, q)
	}
	if sparse := ext == ".pare"; q.options.Half && !sparse || sparse && (q.options.Sparse || q.options.External) {
		return usage("-o %s: --half is for .pare files, --sparse and --external are for .onnx files", q.to.path)
	}
	in := []input{{"input", name, true}, {what: "file of weights", path: q.weights}}
	if err := c.claim(places{in, []file{{"output", q.to.path, []string{".onnx", ".pare", ".gguf", ".safetensors"}}}, q.force}); err != nil {
		return err
	}
	g, err := c.raw(name, q.weights)
	if err != nil {
		return err
	}
	if q.wide {
		if _, err := op.ToFloat32(g); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := op.InferAll(g); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if q.simplify {
		if _, err := op.Simplify(g); err != nil {
			return err
		}
	}
	if c.ctx.Err() != nil {
		return c.ctx.Err()
	}
	if ext == ".safetensors" {
		err = saveWeights(q.to.path, g)
	} else {
		err = onnx.Save(q.to.path, g, q.options)
	}
	return c.converted(q.to.path, err)
}

// converted says what was written.
func (c *cli) converted(path string, err error) error {
	if err != nil || !c.json {
		return err
	}
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	return c.printJSON(map[string]any{"file": path, "bytes": st.Size()})
}

// convertGGUF writes a language model as a GGUF file.
func (c *cli) convertGGUF(name string, q *conversion) error {
	switch {
	case !files.Is(name) || q.weights != "":
		return usage("-o %s: %s is no language model: give a folder with a config.json, or a .gguf file", q.to.path, name)
	case q.options != onnx.Options{} || q.wide || q.simplify:
		return usage("-o %s: --sparse, --external, --half, --float32 and --simplify do not go with a GGUF file", q.to.path)
	}
	if err := c.claim(places{[]input{{"input", name, true}}, []file{{"output", q.to.path, models}}, q.force}); err != nil {
		return err
	}
	g, err := c.languageGraph(name)
	if err != nil {
		return err
	}
	if err := c.suits(&q.to, g, name); err != nil {
		return err
	}
	notes, err := files.WriteGGUF(q.to.path, g, c.languages[name], files.Types[q.to.types])
	for _, n := range notes {
		c.say("note: %s: %s", q.to.path, n)
	}
	return c.converted(q.to.path, err)
}
