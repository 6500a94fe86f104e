package model

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"pare/catalog"
	"pare/graph"
	"pare/measure"
	"pare/onnx"
)

// hole is what stands in a command for the path of a network.
const hole = "{}"

// A command may take so long for one network, and of what it prints so much is looked at.
var commandTime = 10 * time.Minute

const commandOutput = 64 << 10

// timeBy asks a command how long a network takes: the network is written to a temporary
// ONNX file, whose path takes the place of {}; the last line that is printed is a number
// of milliseconds. It returns the time in seconds.
func timeBy(ctx context.Context, command string, g *graph.Graph) (float64, error) {
	if err := CheckCommand(command); err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "pare-latency-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is temporary
	path := filepath.Join(dir, "candidate.onnx")
	if err := onnx.Save(path, g, onnx.Options{}); err != nil {
		return 0, err
	}
	limited, stop := context.WithTimeout(ctx, commandTime)
	defer stop()
	cmd := shell(limited, strings.ReplaceAll(command, hole, quoted(path)))
	out, complaint := &tail{}, &tail{}
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = out, complaint, time.Second
	err = cmd.Run()
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case limited.Err() != nil:
		return 0, fmt.Errorf("the latency command %q has not ended after %v", command, commandTime)
	case err != nil:
		var exit *exec.ExitError
		if said := complaint.last(); errors.As(err, &exit) && said != "" {
			return 0, fmt.Errorf("the latency command %q fails: %v: %s", command, err, said)
		}
		return 0, fmt.Errorf("the latency command %q fails: %v", command, err)
	}
	last := out.last()
	if last == "" {
		return 0, fmt.Errorf("the latency command %q prints nothing: its last line is to be a number of milliseconds", command)
	}
	ms, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(last, "ms")), 64)
	if err != nil || !(ms > 0) || math.IsInf(ms, 0) {
		return 0, fmt.Errorf("the latency command %q prints %q in its last line, which is no number of milliseconds above 0", command, last)
	}
	return ms / 1000, nil
}

// CommandTime is how long a network takes as a command says, beside another.
type CommandTime struct {
	Command string         `json:"command"`
	Seconds measure.Spread `json:"seconds"`
	Ratio   measure.Spread `json:"ratio"` // of its time to that of the other, round by round
}

// TimeByCommand asks a command (see ChannelTarget.LatencyCmd) in each of a number of
// rounds how long one network takes, then another, so that what disturbs the machine
// disturbs both. Each is asked for 10 minutes at most.
func TimeByCommand(ctx context.Context, command string, before, g *graph.Graph, rounds int) (*CommandTime, error) {
	var seconds, ratios []float64
	for range rounds {
		b, err := timeBy(ctx, command, before)
		if err != nil {
			return nil, err
		}
		s, err := timeBy(ctx, command, g)
		if err != nil {
			return nil, err
		}
		seconds, ratios = append(seconds, s), append(ratios, s/b)
	}
	return &CommandTime{command, measure.SpreadOf(seconds), measure.SpreadOf(ratios)}, nil
}

// TryCommand asks a command once for the time of a network, and returns an error where it
// does not give one.
func TryCommand(ctx context.Context, command string, g *graph.Graph) error {
	_, err := timeBy(ctx, command, g)
	return err
}

// CheckCommand says what is wrong with a command before it is run.
func CheckCommand(command string) error {
	if !strings.Contains(command, hole) {
		return catalog.Errorf("{LatencyCmd} %q has no {}, in whose place the path of a network is put: write it as in python bench.py {}", command)
	}
	return nil
}

// tail keeps the end of what is written.
type tail struct{ b []byte }

// Write keeps the end of it.
func (t *tail) Write(p []byte) (int, error) {
	if t.b = append(t.b, p...); len(t.b) > commandOutput {
		t.b = append([]byte{}, t.b[len(t.b)-commandOutput:]...)
	}
	return len(p), nil
}

// last is the last line that is not empty, cut to what a message can hold.
func (t *tail) last() string {
	lines := bytes.Split(bytes.TrimSpace(t.b), []byte("\n"))
	text := strings.TrimSpace(string(lines[len(lines)-1]))
	if len(text) > 200 {
		text = fmt.Sprintf("%s …", strings.ToValidUTF8(text[:200], ""))
	}
	return text
}
