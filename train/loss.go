package train

import (
	"fmt"
	"math"

	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// Loss is what training makes small.
type Loss struct {
	Kind      string       // "" or "cross-entropy", "mse"
	Smoothing float64      // label smoothing of cross-entropy, in [0,1)
	Teacher   *graph.Graph // distillation: its softened outputs are matched too
	Alpha     float64      // share of the distillation term, in [0,1]
	T         float64      // temperature of distillation
}

// Check returns an error that names the setting out of range.
func (l Loss) Check() error {
	switch {
	case l.Kind != "" && l.Kind != "cross-entropy" && l.Kind != "mse":
		return fmt.Errorf("unknown loss %q: use cross-entropy or mse", l.Kind)
	case l.Kind == "mse" && (l.Teacher != nil || l.Smoothing != 0):
		return fmt.Errorf("a teacher and label smoothing go with cross-entropy, not with mse")
	case !(l.Smoothing >= 0 && l.Smoothing < 1):
		return fmt.Errorf("label smoothing %v is outside [0,1)", l.Smoothing)
	case l.Teacher != nil && !(l.Alpha >= 0 && l.Alpha <= 1):
		return fmt.Errorf("the distillation share %v is outside [0,1]", l.Alpha)
	case l.Teacher != nil && !(l.T > 0):
		return fmt.Errorf("the distillation temperature %v is not positive", l.T)
	}
	return nil
}

// lossInputs are the inputs that a loss adds to the graph.
type lossInputs struct {
	label   *graph.Value // int64 [rows] (cross-entropy), or float targets like the output (mse)
	teacher *graph.Value // logits of the teacher, like the output
}

// attach adds the loss behind the output of a view.
func (l Loss) attach(g *graph.Graph, labelled bool) (*graph.Value, lossInputs, error) {
	b := op.NewBuilder(g, "loss")
	out := g.Outputs[0]
	var in lossInputs
	if len(out.Shape) < 2 {
		return nil, in, fmt.Errorf("the network's output %q has shape %v: a loss needs [batch, ...]", out.Name, out.Shape)
	}
	classes := out.Shape[len(out.Shape)-1]
	if !classes.Known() {
		return nil, in, fmt.Errorf("the network's output %q has shape %v: the number of classes must be known", out.Name, out.Shape)
	}
	if l.Kind == "mse" {
		in.label = &graph.Value{Name: g.Fresh("target"), DType: tensor.Float32, Shape: out.Shape}
		target := in.label
		if labelled { // 1 for the class and 0 elsewhere
			in.label.DType, in.label.Shape = tensor.Int64, out.Shape[:1]
			values := tensor.New(tensor.Float32, 2)
			values.F32()[1] = 1
			target = b.Op("OneHot", in.label, b.Ints(classes.Mul), b.Const(values))
		}
		g.Inputs = append(g.Inputs, in.label)
		d := b.Op("Sub", out, target)
		return b.Attr("ReduceMean", []graph.Attr{graph.MakeAttr("keepdims", 0)}, b.Op("Mul", d, d)), in, b.Err()
	}
	logits := out
	if len(out.Shape) > 2 {
		logits = b.Op("Reshape", out, b.Ints(-1, classes.Mul))
	}
	in.label = &graph.Value{Name: g.Fresh("label"), DType: tensor.Int64, Shape: graph.Shape{logits.Shape[0]}}
	g.Inputs = append(g.Inputs, in.label)
	loss := b.Pare("SoftmaxCrossEntropy", []graph.Attr{graph.MakeAttr("label_smoothing", l.Smoothing)}, logits, in.label)
	if l.Teacher == nil {
		return loss, in, b.Err()
	}
	in.teacher = &graph.Value{Name: g.Fresh("teacher"), DType: tensor.Float32, Shape: out.Shape}
	g.Inputs = append(g.Inputs, in.teacher)
	t := in.teacher
	if len(out.Shape) > 2 {
		t = b.Op("Reshape", t, b.Ints(-1, classes.Mul))
	}
	// T^2 * KL(softmax(teacher/T) || softmax(logits/T)), mean over rows (Hinton et al. 2015)
	axis := []graph.Attr{graph.MakeAttr("axis", -1)}
	inv := b.Scalar(1/l.T, logits)
	ls := b.Attr("LogSoftmax", axis, b.Op("Mul", logits, inv))
	lt := b.Attr("LogSoftmax", axis, b.Op("Mul", t, inv))
	kl := b.Op("Mul", b.Op("Exp", lt), b.Op("Sub", lt, ls))
	mean := b.Attr("ReduceMean", []graph.Attr{graph.MakeAttr("keepdims", 0)}, kl) // over rows and classes
	soft := b.Op("Mul", mean, b.Scalar(l.T*l.T*float64(classes.Mul)*l.Alpha, mean))
	return b.Op("Add", b.Op("Mul", loss, b.Scalar(1-l.Alpha, loss)), soft), in, b.Err()
}

// score gives the best class of a row of logits and the cross-entropy of the
// labelled one.
func score(row []float32, label int) (best int, loss float64) {
	for i, v := range row {
		if v > row[best] {
			best = i
		}
	}
	s := 0.0
	for _, v := range row {
		s += math.Exp(float64(v - row[best]))
	}
	return best, math.Log(s) + float64(row[best]-row[label])
}
