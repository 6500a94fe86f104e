package continual

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strconv"

	"pare/graph"
	"pare/safetensors"
	"pare/tensor"
)

// identity says which step network a state belongs to: its nodes and numbers.
func identity(g *graph.Graph) string {
	h := sha256.New()
	io.WriteString(h, g.String()) //nolint:errcheck // a hash does not fail
	for _, v := range g.Consts() {
		h.Write(v.Const.Raw())
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// Save gives the state of a stream between two frames, as a file of arrays.
func (r *Stream) Save() *safetensors.File {
	f := &safetensors.File{Tensors: map[string]*tensor.Tensor{}, Meta: map[string]string{"network": identity(r.step.Graph), "streams": strconv.Itoa(r.batch),
		"frames": strconv.Itoa(r.seen), "steps": strconv.Itoa(r.steps)}}
	add := func(name string) {
		f.Names = append(f.Names, name)
		f.Tensors[name] = r.prog.Input(name).Clone()
	}
	for _, t := range r.step.States {
		add(t.In)
	}
	for _, p := range r.parts {
		add(p.Name)
	}
	return f
}

// Restore goes on from a state that Save gave. It is refused where the state is of another
// network, or of another number of streams.
func (r *Stream) Restore(f *safetensors.File) error {
	if n := identity(r.step.Graph); f.Meta["network"] != n {
		return fmt.Errorf("the state is of another network (%q, not %q)", f.Meta["network"], n)
	}
	if n := strconv.Itoa(r.batch); f.Meta["streams"] != n {
		return fmt.Errorf("the state is of %s streams side by side, not %s", f.Meta["streams"], n)
	}
	seen, err := strconv.Atoi(f.Meta["frames"])
	steps, err2 := strconv.Atoi(f.Meta["steps"])
	if err != nil || err2 != nil || seen < 0 || seen >= r.step.Frames || steps < 0 {
		return fmt.Errorf("the state is broken: %q frames of step %q", f.Meta["frames"], f.Meta["steps"])
	}
	names := []string{}
	for _, t := range r.step.States {
		names = append(names, t.In)
	}
	for _, p := range r.parts {
		names = append(names, p.Name)
	}
	for _, name := range names {
		to, from := r.prog.Input(name), f.Tensors[name]
		if from == nil || from.DType != to.DType || !slices.Equal(from.Shape, to.Shape) {
			return fmt.Errorf("the state is broken: there is no %q of %v%v", name, to.DType, to.Shape)
		}
	}
	for _, name := range names {
		if err := r.prog.Input(name).Copy(f.Tensors[name]); err != nil {
			return fmt.Errorf("state %q: %w", name, err)
		}
	}
	r.seen, r.steps, r.ended = seen, steps, false
	return nil
}
