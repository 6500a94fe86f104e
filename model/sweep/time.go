package sweep

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"pare/graph"
	"pare/measure"
	"pare/model"
	"pare/onnx"
	"pare/run"
)

// commandRounds is how often a command is asked for the time of each network.
const commandRounds = 5

// time measures one inference beside the network before, on Pare's engine and by the
// command, where that has not been done; a network whose file is gone has no time.
func (s *Sweep) time(ctx context.Context, l *run.Ledger[Outcome], o *Outcome) error {
	if t := o.ByCommand; t != nil && t.Command != s.LatencyCmd { // of another command, or none is asked
		o.ByCommand = nil
	}
	asks := s.LatencyCmd != "" && o.ByCommand == nil
	if o.Error != "" || o.Time != nil && !asks {
		return nil
	}
	g, err := onnx.LoadContext(ctx, filepath.Join(s.Dir, o.File))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		g.Usage = s.Networks[o.Seed].Usage
		_, err = model.Prepare(g)
	}
	if err != nil {
		return err
	}
	if o.Time == nil {
		sp, err := measure.Latency(ctx, []*graph.Graph{s.Networks[o.Seed], g}, 1, 9, 20*time.Millisecond, s.Engine)
		if err != nil {
			return err
		}
		o.Time = &sp[1].Ratio
	}
	if asks {
		if o.ByCommand, err = model.TimeByCommand(ctx, s.LatencyCmd, s.Networks[o.Seed], g, commandRounds); err != nil {
			return err
		}
	}
	return l.Add(o)
}

// slower names the rows whose networks take longer than the network before.
func slower(rows []*Row) []string {
	var out []string
	for _, r := range rows {
		var by []string
		if t := (measure.Spread{Median: r.Time, Half: r.TimeHalf}); t.Slower() {
			by = append(by, fmt.Sprintf("on Pare's engine (%.2f of its time)", t.Median))
		}
		if t := r.ByCommand; t != nil && t.Slower() {
			by = append(by, fmt.Sprintf("by the command (%.2f of its time)", t.Median))
		}
		if by != nil {
			out = append(out, fmt.Sprintf("%s: slower than the network before %s", strings.TrimSpace(r.Label+" "+r.Target), strings.Join(by, " and ")))
		}
	}
	return out
}
