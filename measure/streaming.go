package measure

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"pare/continual"
	"pare/engine"
	"pare/graph"
	"pare/tensor"
)

// Streaming is what a stream costs, beside a clip that is computed anew for each output.
type Streaming struct {
	ClipMACs int64  `json:"clip_macs"` // for one output
	StepMACs int64  `json:"step_macs"`
	Clip     Spread `json:"clip_seconds"`
	Step     Spread `json:"step_seconds"`
	Ratio    Spread `json:"ratio"` // of the step's time to the clip's, round by round
}

// Streamed measures a step network beside its clip network, in turn, on streams of noise
// side by side. Each round runs each of both for about `per`; the stream is warm before.
func Streamed(ctx context.Context, clip *graph.Graph, s *continual.Step, batch, rounds int, per time.Duration, opt engine.Options) (*Streaming, error) {
	size, _ := Count(clip)
	out := &Streaming{ClipMACs: size.MACs, StepMACs: s.MACs}
	p, err := prepare(clip, batch, opt)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	r, err := continual.NewStream(s, batch, opt)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	frames, err := framesOf(s, batch)
	if err != nil {
		return nil, err
	}
	at := 0
	step := func() error { // the frames of one step
		for ready := false; !ready; at++ {
			var err error
			if ready, err = r.Push(ctx, frames[at%len(frames)]); err != nil {
				return err
			}
		}
		return nil
	}
	for range 2 + 2*(s.Delay+s.Clip)/s.Frames {
		if err := step(); err != nil {
			return nil, err
		}
	}
	whole := func() error { return p.RunContext(ctx) }
	var loops [2]int
	for i, f := range []func() error{whole, step} {
		if err := f(); err != nil {
			return nil, err
		}
		t := time.Now()
		if err := f(); err != nil {
			return nil, err
		}
		loops[i] = max(1, int(per/max(time.Microsecond, time.Since(t))))
	}
	var times [2][]float64
	var ratios []float64
	for range rounds {
		for i, f := range []func() error{whole, step} {
			t := time.Now()
			for range loops[i] {
				if err := f(); err != nil {
					return nil, err
				}
			}
			times[i] = append(times[i], time.Since(t).Seconds()/float64(loops[i]))
		}
		k := len(ratios)
		ratios = append(ratios, times[1][k]/times[0][k])
	}
	out.Clip, out.Step, out.Ratio = SpreadOf(times[0]), SpreadOf(times[1]), SpreadOf(ratios)
	return out, nil
}

// framesOf makes a few frames of noise for a stream; what is the same for all frames is
// noise, too.
func framesOf(s *continual.Step, batch int) ([]map[string]*tensor.Tensor, error) {
	r := rand.New(rand.NewPCG(1, 3))
	out := make([]map[string]*tensor.Tensor, 64)
	noise := func(v *graph.Value, axis int) (*tensor.Tensor, error) {
		shape := make([]int, len(v.Shape))
		for a, d := range v.Shape {
			if shape[a] = d.Mul; !d.Known() {
				shape[a] = d.Mul * batch
			}
		}
		if axis >= 0 {
			shape[axis] = 1
		}
		if _, ok := tensor.Size(shape); !ok || v.DType == tensor.String {
			return nil, fmt.Errorf("input %q is %v%v, which noise cannot be", v.Name, v.DType, v.Shape)
		}
		return random(tensor.New(v.DType, shape...), r)
	}
	for i := range out {
		out[i] = map[string]*tensor.Tensor{}
		for _, p := range s.In {
			t, err := noise(s.Graph.Value(p.Name), p.Axis)
			if err != nil {
				return nil, err
			}
			out[i][p.Name] = t
		}
	}
	for _, v := range s.Others() {
		t, err := noise(v, -1)
		if err != nil {
			return nil, err
		}
		out[0][v.Name] = t
	}
	return out, nil
}
