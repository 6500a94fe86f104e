package metric

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"pare/tensor"

	"github.com/x448/float16"
)

// state is what a metric remembers of the batches.
type state interface {
	add(b *batch) error
	value() (float64, error)
}

// batch is a batch that has been checked: of padded samples nothing is left.
type batch struct {
	n        int // samples
	size     int // samples with those that fill up
	seen     int // samples before it
	out      []array
	target   []array
	labelled bool // the targets are classes
}

// array is a tensor's numbers.
type array struct {
	name  string // as errors say it: output "logits"
	shape []int
	f     []float32
	i     []int64 // of whole numbers only
}

// given is a target that may be left out; nil: it was.
func (b *batch) given(i int) *array {
	if i < len(b.target) && b.target[i].name != "" {
		return &b.target[i]
	}
	return nil
}

// meter checks batches and gives them to a state as plain numbers.
type meter struct {
	m     *Metric
	args  []string
	s     state
	seen  int
	b     batch
	names []string // of the arguments, as errors say them
	shape [][]int  // of each array, so that none is made for a batch
	f     [][]float32
	i     [][]int64
	fault error // that ended the measurement
}

// newMeter wraps a state.
func newMeter(m *Metric, s state) *meter { return &meter{m: m, s: s} }

var (
	errNothing = errors.New("nothing was measured")
	errMissing = errors.New("an output or a target is missing")
)

// Value is the state's, where there is anything.
func (t *meter) Value() (float64, error) {
	if t.fault != nil {
		return 0, t.fault
	}
	if t.seen == 0 {
		return 0, fmt.Errorf("%s: %w", t.m.Name, errNothing)
	}
	v, err := t.s.value()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", t.m.Name, err)
	}
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("%s: the numbers are too large: the value is not finite", t.m.Name)
	}
	return v, nil
}

// Add checks a batch and gives it to the state.
func (t *meter) Add(n int, outputs, targets []*tensor.Tensor) error {
	err := t.add(n, outputs, targets)
	if err != nil {
		err = fmt.Errorf("%s: %w", t.m.Name, err)
		t.fault = err
	}
	return err
}

func (t *meter) add(n int, outputs, targets []*tensor.Tensor) error {
	if err := count("output", t.m.Outputs, len(outputs)); err != nil {
		return err
	}
	if err := count("target", t.m.Targets, len(targets)); err != nil {
		return err
	}
	if slices.Contains(outputs, nil) {
		return errMissing
	}
	for i, y := range targets {
		if y == nil && !strings.HasSuffix(t.m.Targets[i], "?") {
			return errMissing
		}
	}
	if n == 0 {
		return nil
	}
	from := outputs[0]
	if len(targets) > 0 {
		from = targets[0]
	}
	if from.Rank() == 0 || n < 0 || n > from.Shape[0] {
		return fmt.Errorf("%d samples of a batch of shape %v", n, from.Shape)
	}
	for i := len(t.names); i < len(t.m.Outputs)+len(t.m.Targets); i++ {
		t.names = append(t.names, t.name(i))
	}
	size := from.Shape[0]
	b := &t.b
	b.n, b.size, b.seen, b.labelled = n, size, t.seen, t.m.Target == Classes || t.m.Target == Tokens
	b.out, b.target = b.out[:0], b.target[:0]
	for i, o := range outputs {
		a, err := t.read(i, o, n, size, false)
		if err != nil {
			return err
		}
		b.out = append(b.out, a)
	}
	for i, o := range targets {
		if o == nil {
			b.target = append(b.target, array{})
			continue
		}
		whole := b.labelled || t.m.Target == Boxes && i == 1
		a, err := t.read(len(t.m.Outputs)+i, o, n, size, whole)
		if err != nil {
			return err
		}
		b.target = append(b.target, a)
	}
	if err := t.s.add(b); err != nil {
		return err
	}
	t.seen += n
	return nil
}

// count is an error where the number of tensors is not that of the roles.
func count(what string, roles []string, n int) error {
	least := len(roles)
	for least > 0 && strings.HasSuffix(roles[least-1], "?") {
		least--
	}
	if n < least || n > len(roles) {
		return fmt.Errorf("%d %ss are given: it takes %s", n, what, takes(roles))
	}
	return nil
}

// name is what errors call an argument: by its own name where it is known, by its role
// otherwise.
func (t *meter) name(i int) string {
	k := len(t.m.Outputs)
	what, role, at := "output", "", i
	switch {
	case i < k:
		role = t.m.Outputs[i]
	case t.m.Target == None:
		what, role, at = "the reference's output", "reference", i-k // has the same name
	default:
		what, role = "target", t.m.Targets[i-k]
	}
	if arg := (Use{Args: t.args}).Arg(at); arg != "" {
		return fmt.Sprintf("%s %q", what, arg)
	}
	return "the " + strings.TrimSuffix(role, "?")
}

// read gives the numbers of the first n samples of a batch of size samples.
func (t *meter) read(slot int, x *tensor.Tensor, n, size int, whole bool) (array, error) {
	for len(t.shape) <= slot {
		t.shape, t.f, t.i = append(t.shape, nil), append(t.f, nil), append(t.i, nil)
	}
	name := t.names[slot]
	a := array{name: name}
	if x.Rank() == 0 || x.Shape[0]%size != 0 {
		return a, fmt.Errorf("%s has shape %v: its first axis is not the batch's %d samples", name, x.Shape, size)
	}
	count := x.Len() / size * n
	if count == 0 && (t.m.Target != Boxes || slot >= len(t.m.Outputs)) { // nothing may be found

		return a, fmt.Errorf("%s of shape %v is empty", name, x.Shape)
	}
	t.shape[slot] = append(t.shape[slot][:0], x.Shape...)
	t.shape[slot][0] = x.Shape[0] / size * n
	a.shape = t.shape[slot]
	var err error
	if whole {
		a.i, err = integers(x, count, &t.i[slot])
	} else {
		a.f, err = floats(x, count, &t.f[slot])
	}
	if err != nil {
		return a, fmt.Errorf("%s: %w", name, err)
	}
	for i, v := range a.f {
		if v-v != 0 {
			return a, fmt.Errorf("%s of sample %d is %v%s", name, t.seen+i/(count/n), v, t.place(i%(count/n), x))
		}
	}
	return a, nil
}

// place says which number of a sample is meant, where it has several.
func (t *meter) place(i int, x *tensor.Tensor) string {
	if x.Rank() < 2 || x.Len() == x.Shape[0] {
		return ""
	}
	at := make([]int, x.Rank()-1)
	for k := len(at) - 1; k >= 0; k-- {
		at[k] = i % x.Shape[k+1]
		i /= x.Shape[k+1]
	}
	return fmt.Sprintf(" at %v", at)
}

// floats gives the first n numbers of a tensor, without a copy where they are float32.
func floats(x *tensor.Tensor, n int, buf *[]float32) ([]float32, error) {
	if f := x.F32(); f != nil {
		return f[:n], nil
	}
	b := slices.Grow((*buf)[:0], n)[:n]
	*buf = b
	switch d := x.Data.(type) {
	case []float64:
		to(b, d)
	case []int8:
		to(b, d)
	case []int16:
		to(b, d)
	case []int32:
		to(b, d)
	case []int64:
		to(b, d)
	case []uint8:
		to(b, d)
	case []uint32:
		to(b, d)
	case []uint64:
		to(b, d)
	case []uint16:
		for i := range b {
			switch x.DType {
			case tensor.Float16:
				b[i] = float16.Frombits(d[i]).Float32()
			case tensor.BFloat16:
				b[i] = tensor.BF16ToF32(d[i])
			default:
				b[i] = float32(d[i])
			}
		}
	case []bool:
		for i := range b {
			b[i] = 0
			if d[i] {
				b[i] = 1
			}
		}
	default:
		return nil, fmt.Errorf("%v are no numbers", x.DType)
	}
	return b, nil
}

// integers gives the first n whole numbers of a tensor, without a copy where they are int64.
func integers(x *tensor.Tensor, n int, buf *[]int64) ([]int64, error) {
	if v := tensor.Of[int64](x); v != nil {
		return v[:n], nil
	}
	b := slices.Grow((*buf)[:0], n)[:n]
	*buf = b
	switch d := x.Data.(type) {
	case []int8:
		to(b, d)
	case []int16:
		to(b, d)
	case []int32:
		to(b, d)
	case []uint8:
		to(b, d)
	case []uint32:
		to(b, d)
	case []float32:
		return b, wholes(b, d)
	case []float64:
		return b, wholes(b, d)
	case []uint16:
		if x.DType != tensor.Uint16 {
			return nil, fmt.Errorf("%v are no whole numbers", x.DType)
		}
		to(b, d)
	case []bool:
		for i := range b {
			b[i] = 0
			if d[i] {
				b[i] = 1
			}
		}
	default:
		return nil, fmt.Errorf("%v are no whole numbers", x.DType)
	}
	return b, nil
}

// number is what a tensor's elements may be.
type number interface {
	float32 | float64 | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
}

// to converts as many numbers as there is room for.
func to[A, B number](a []A, b []B) {
	for i := range a {
		a[i] = A(b[i])
	}
}

// wholes converts numbers that must be whole.
func wholes[B float32 | float64](a []int64, b []B) error {
	for i := range a {
		v := float64(b[i])
		if v != math.Trunc(v) || math.Abs(v) > 1<<53 {
			return fmt.Errorf("%v is no whole number", v)
		}
		a[i] = int64(v)
	}
	return nil
}
