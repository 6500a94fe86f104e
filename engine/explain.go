package engine

import (
	"fmt"
	"time"
)

// StepInfo describes a step of the plan.
type StepInfo struct {
	Node   string        `json:"node"`
	Op     string        `json:"op"`
	Kernel string        `json:"kernel"`
	Why    string        `json:"why,omitempty"` // the reason where there was a choice, or where there is no kernel
	Time   time.Duration `json:"time"`          // mean of a run, where profiled

	// Within names the node whose subgraph the step is of, and those around it: its
	// time is part of that node's. Empty: it is the graph's own.
	Within string `json:"within,omitempty"`
}

// String describes the step in a line.
func (i StepInfo) String() string {
	s := fmt.Sprintf("%s (%s): %s", i.Node, i.Op, i.Kernel)
	if i.Why != "" {
		s += ": " + i.Why
	}
	if i.Time > 0 {
		s += fmt.Sprintf(" [%v]", i.Time)
	}
	return s
}

// Plan lists the steps with the kernel of each and, where profiled, the mean
// time that it took. A step whose kernel is "reference" is evaluated by the
// operator's definition, which is slow; Why says for what lack of a kernel.
func (p *Program) Plan() []StepInfo {
	var out []StepInfo
	for _, s := range p.steps {
		i := StepInfo{Node: s.node.Name, Op: s.node.Op, Kernel: s.kernel, Why: s.why}
		if s.runs > 0 {
			i.Time = s.spent / time.Duration(s.runs)
		}
		out = append(out, i)
		if s.within != nil {
			out = append(out, s.within()...)
		}
	}
	if p.late != nil {
		out = append(out, p.late.steps(p.why)...)
	}
	return out
}

// Explain says in a line for each step how it is done, and why where there was a
// choice or where it is done slowly, those of subgraphs behind the node that has them.
func (p *Program) Explain() []string {
	var out []string
	for _, i := range p.Plan() {
		out = append(out, i.String())
	}
	return out
}
