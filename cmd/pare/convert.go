package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"pare/graph/op"
	"pare/onnx"

	"github.com/spf13/cobra"
)

// conversion is what the flags of convert say.
type conversion struct {
	out, weights   string
	options        onnx.Options
	simplify, wide bool
	force          bool
}

func (c *cli) convert() *cobra.Command {
	q := &conversion{}
	cmd := &cobra.Command{Use: "convert FILE|ARCH -o OUT", Short: "Write a network in another form: .onnx, Pare's sparse form .pare, or its weights as .safetensors", Args: args("FILE|ARCH"),
		Example: `  pare model convert net.onnx -o net.pare               # zeros take less than a bit each
  pare model convert net.onnx -o net16.pare --half
  pare model convert net.pare -o net.onnx
  pare model convert net.onnx -o sparse.onnx --sparse   # ONNX sparse_initializer
  pare model convert net.onnx -o net.safetensors        # the weights alone
  pare model convert resnet20 --weights resnet20.safetensors -o net.onnx`,
		RunE: func(cmd *cobra.Command, a []string) error { return c.runConvert(a[0], q) }}
	f := cmd.Flags()
	f.StringVarP(&q.out, "output", "o", "", "file to write")
	f.StringVar(&q.weights, "weights", "", weightsHelp)
	f.BoolVar(&q.options.Sparse, "sparse", false, "ONNX: sparse weights as sparse_initializer")
	f.BoolVar(&q.options.External, "external", false, "ONNX: weights in a file beside the model")
	f.BoolVar(&q.options.Half, "half", false, "round the weights to float16 in Pare's sparse form")
	f.BoolVar(&q.wide, "float32", false, "turn float16, bfloat16 and float64 numbers into float32")
	f.BoolVar(&q.simplify, "simplify", false, "fold constants and remove nodes that do nothing")
	f.BoolVar(&q.force, "force", false, "write over the input network")
	return cmd
}

func (c *cli) runConvert(name string, q *conversion) error {
	if q.out == "" {
		return usage("no output: give -o OUT.onnx, OUT.pare or OUT.safetensors")
	}
	ext := strings.ToLower(filepath.Ext(q.out))
	if sparse := ext == ".pare"; q.options.Half && !sparse || sparse && (q.options.Sparse || q.options.External) {
		return usage("-o %s: --half is for .pare files, --sparse and --external are for .onnx files", q.out)
	}
	in := []input{{"input", name, true}, {what: "file of weights", path: q.weights}}
	if err := c.claim(places{in, []file{{"output", q.out, []string{".onnx", ".pare", ".safetensors"}}}, q.force}); err != nil {
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
		err = saveWeights(q.out, g)
	} else {
		err = onnx.Save(q.out, g, q.options)
	}
	if err != nil || !c.json {
		return err
	}
	st, err := os.Stat(q.out)
	if err != nil {
		return err
	}
	return c.printJSON(map[string]any{"file": q.out, "bytes": st.Size()})
}
