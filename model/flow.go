package model

import (
	"pare/prune"
	"pare/prune/score"
	"pare/train"
)

// Flow plans the synaptic flow of weights of the job's network: see score.NewFlow. The
// flow ends before a softmax, behind which its sum would be 1 whatever flows.
func (j *Job) Flow(ws []*prune.Weight) (*score.Flow, error) {
	_, batch := j.Graph.Batch(1)
	v, err := train.NewView(j.Graph, nil, batch, nil)
	if err == nil {
		err = v.Join()
	}
	if err != nil {
		return nil, err
	}
	return score.NewFlow(v.Graph, v.Weights(ws), j.Engine)
}
