package structured

import (
	"fmt"

	"pare/graph"
	"pare/model"
	"pare/train"
	"pare/train/objective"
)

// task is a term of the objective: what one output is trained for.
type task struct {
	name string
	eval *train.Eval
	uses map[*graph.Value]bool // the weights that its output is made with
}

// tasks are the terms of the recipe's objective, or those that outputs and targets
// suggest.
func (s *PAGCP) tasks(j *model.Job) ([]*task, error) {
	loss, err := j.Objective()
	if err != nil {
		return nil, err
	}
	from := j.Data.Train
	if j.Data.Val != nil { // whose loss is not near zero after a training
		from = j.Data.Val
	}
	set := from.Draw(s.Samples, j.Seed)
	_, batch := j.Graph.Batch(min(taskBatch, set.Len()))
	v, err := train.NewView(j.Graph, set, batch, loss.Objective)
	if err != nil {
		return nil, err
	}
	var out []*task
	for _, c := range v.Terms {
		if s.Judges != nil && !s.Judges(c.Output) {
			continue
		}
		term := c.Term
		if term.Weight = 1; c.Output != "" && len(c.Target) == 1 { // by their names, whatever other outputs there are
			term.Args = []string{c.Output, set.Fields[c.Target[0]].Name}
		}
		t := &task{name: fmt.Sprint(objective.Objective{term}), uses: map[*graph.Value]bool{}}
		t.eval = train.NewEval(set, j.Data.Norm, taskBatch, j.Engine)
		t.eval.Judge = train.Judge{Objective: objective.Objective{term}}
		for _, o := range c.Out {
			reach(o, t.uses)
		}
		out = append(out, t)
	}
	return out, apart(out)
}

// taskBatch is the number of samples that are evaluated at once.
const taskBatch = 128

// reach marks the parameters of layers behind a value.
func reach(v *graph.Value, seen map[*graph.Value]bool) {
	done := map[*graph.Value]bool{}
	for todo := []*graph.Value{v}; len(todo) > 0; {
		v, todo = todo[len(todo)-1], todo[:len(todo)-1]
		if v == nil || done[v] {
			continue
		}
		if done[v] = true; v.IsConst() && len(v.Shape) > 1 {
			seen[v] = true
		}
		if v.From != nil {
			todo = append(append(todo, v.From.Inputs...), v.From.Captures()...)
		}
	}
}

// apart returns an error where a task shares no layer with any other.
func apart(tasks []*task) error {
	for i, t := range tasks {
		shares := len(tasks) == 1
		for k, o := range tasks {
			for w := range t.uses {
				shares = shares || k != i && o.uses[w]
			}
		}
		if !shares {
			return fmt.Errorf("the output of %s is made with no weight that another task needs: it is a network of its own, which could be cut by itself", t.name)
		}
	}
	return nil
}
