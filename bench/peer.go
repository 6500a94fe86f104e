package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"

	"pare/internal/kernel"
)

// peer is a running peers.py.
type peer struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Scanner
	broken error
	cpu    bool // time is that of the process
}

// script is peers.py next to this file.
func script() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "peers.py")
}

// startPeer starts the peers' side. Where Pare is held to AVX2, OpenBLAS and
// PyTorch are too; ONNX Runtime has no such switch.
func startPeer(python string, threads int) (*peer, error) {
	p := &peer{cmd: exec.Command(python, script(), strconv.Itoa(threads))}
	p.cmd.Stderr = os.Stderr
	if kernel.Level() == kernel.AVX2 {
		p.cmd.Env = append(os.Environ(), "OPENBLAS_CORETYPE=Haswell", "ONEDNN_MAX_CPU_ISA=AVX2", "ATEN_CPU_CAPABILITY=avx2")
	}
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w: bench/setup.sh makes a Python with the peers, or name one with -python", err)
	}
	p.in, p.out = in, bufio.NewScanner(out)
	return p, nil
}

func (p *peer) stop() {
	p.in.Close()   //nolint:errcheck // it ends
	p.cmd.Wait()   //nolint:errcheck // its answers were read
	p.broken = nil //
}

type answer struct {
	ID      int     `json:"id"`
	Seconds float64 `json:"seconds"`
	Error   string  `json:"error"`
}

func (p *peer) ask(q map[string]any) (answer, error) {
	var a answer
	b, err := json.Marshal(q)
	if err != nil {
		return a, err
	}
	if _, err = p.in.Write(append(b, '\n')); err == nil {
		switch {
		case p.out.Scan():
			err = json.Unmarshal(p.out.Bytes(), &a)
		case p.out.Err() != nil:
			err = p.out.Err()
		default:
			err = errors.New("the peer's process ended")
		}
	}
	if err != nil {
		p.broken = err
		return a, err
	}
	if a.Error != "" {
		return a, errors.New(a.Error)
	}
	return a, nil
}

func (p *peer) prepare(job map[string]any) (int, error) {
	a, err := p.ask(map[string]any{"prepare": job})
	return a.ID, err
}

func (p *peer) run(id, loops int) (float64, error) {
	a, err := p.ask(map[string]any{"run": id, "loops": loops, "cpu": p.cpu})
	return a.Seconds, err
}

func (p *peer) drop(id int) {
	if p.broken == nil {
		p.ask(map[string]any{"drop": id}) //nolint:errcheck // only memory is at stake
	}
}
