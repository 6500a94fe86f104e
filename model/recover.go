package model

import (
	"cmp"
	"slices"
	"strings"

	"pare/catalog"
	"pare/train"
	"pare/train/objective"
)

// ways are those of Recipe.Recover.
var ways = []string{"train", "distil", "solve"}

// softness is the temperature that outputs are matched at where none is given.
const softness = 4

// ways lists how what a cut costs is to be won back; nil: by what the data has.
func (r *Recipe) ways() ([]string, error) {
	if r.Recover == "auto" || r.Recover == "" {
		return nil, nil
	}
	out := strings.Split(r.Recover, ",")
	for _, w := range out {
		if !slices.Contains(ways, w) {
			return nil, catalog.Errorf("{Recipe.Recover} %s: use auto, or some of %s", r.Recover, strings.Join(ways, ", "))
		}
	}
	if slices.Contains(out, "train") && slices.Contains(out, "distil") {
		return nil, catalog.Errorf("{Recipe.Recover} %s: labels and the network before together are a teacher with a share of the loss; give one of the two", r.Recover)
	}
	return out, nil
}

// distils says whether the training matches the network before, without labels.
func (j *Job) distils() (bool, error) {
	ways, err := j.Recipe.ways()
	if err != nil || j.Data == nil || j.Data.Train == nil {
		return false, err
	}
	if ways != nil {
		return slices.Contains(ways, "distil"), nil
	}
	if j.Loss.Teacher != nil && j.Loss.Alpha < 1 {
		return false, nil
	}
	labelled, err := j.labelled()
	return !labelled, err
}

// labelled says whether the samples have what the outputs are compared with.
func (j *Job) labelled() (bool, error) {
	o, err := j.Recipe.objective()
	if err != nil {
		return false, err
	}
	_, batch := j.Graph.Batch(cmp.Or(max(j.Recipe.Batch, 0), usualBatch))
	v, err := train.NewView(j.Graph, j.Data.Train, batch, o)
	if err != nil {
		return false, err
	}
	return len(v.Terms) > 0, nil
}

// lossOf is the loss of the training: the recipe's, or what the teacher gives, which is
// the network before where none is given.
func (j *Job) lossOf() (train.Loss, error) {
	l := j.Loss
	distils, err := j.distils()
	if err != nil {
		return l, err
	}
	if l.Smoothing = j.Recipe.Smoothing; !distils {
		l.Objective, err = j.Recipe.objective()
		return l, err
	}
	if l.Objective, l.Alpha, l.Smoothing = (objective.Objective{}), 1, 0; l.T == 0 {
		l.T = softness
	}
	if l.Teacher == nil {
		if l.Teacher = j.Dense; l.Teacher == nil {
			l.Teacher = j.Graph // before a method works on it
		}
	}
	return l, nil
}
