// Package data pares training sets. A Method is a published way to do so, a pointer to
// its settings: it scores the samples, or chooses those that stay, and works on a Job.
// The methods are in the packages below this one, by family; this package names none of
// them.
//
//	m := coreset.NewCCS()
//	m.Keep = 0.1
//	res, err := data.Run(ctx, m, &data.Job{Set: set, Score: score, Seed: 1})
//	train, err := res.Subset.Select(set)
//
// Samples go by their stored numbers (see dataset.Set.Number), which do not depend on how
// a set was split; a digest of all that is stored says which data they are of.
package data

import (
	"context"
	"fmt"

	"pare/catalog"
	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/run"
	"pare/train"
	"pare/train/dynamics"
)

// Method is a published method: a pointer to a struct of its settings (see
// catalog.Settings).
type Method interface {
	Card() *catalog.Card
	Run(ctx context.Context, j *Job) (*Result, error)
}

// Job is what a method works on. A method says what it lacks of it.
type Job struct {
	Set    *dataset.Set // the training set
	Norm   dataset.Norm
	Seed   uint64
	Engine engine.Options
	Loss   train.Loss // of networks; the zero value is what outputs and labels suggest

	Dynamics   []*dynamics.Log // of trainings on the set: scores are means over them
	Networks   []*graph.Graph  // trained on it, or not: scores are means over them
	Embeddings *Embeddings     // of the samples
	Score      *Score          // what samples are chosen by
	Cut        *Score          // what the very hardest are cut off by; nil: Score
	Language   Likely          // a language model, of whose tokens the samples are

	Surrogate *graph.Graph   // trained on the set, which samples of the targets are shown to
	Targets   []*Target      // tasks that a network trained on the set is to be fine-tuned for
	Held      []*dataset.Set // validation and test sets of the same data

	// Pilot trains a network on a subset for a short time and gives how good it is on samples
	// that it was not trained on; nil: nobody tries.
	Pilot func(ctx context.Context, s *Subset) (train.Score, error)

	Log func(format string, a ...any)
}

// Likely says how likely texts are to a language model (see local.Scorer): the sum of the negative
// natural log-probabilities of the tokens of a text, and how many of them were scored.
type Likely interface {
	Loss(ctx context.Context, tokens []int) (sum float64, scored int, err error)
}

// Target is the training set of a task that a network is to be fine-tuned for. Its samples
// are normalised as those of the job's set, for that is what the surrogate knows.
type Target struct {
	Name       string
	Set        *dataset.Set
	Embeddings *Embeddings // by the network that made the job's
}

// Result is what came out: a score, or a subset.
type Result struct {
	Score  *Score
	Subset *Subset
	Notes  []catalog.Text // what the user should know
	Facts  any            // what the method found out, for machines: a type of its own
}

// Run validates a method's settings and the job, and lets the method work. The score or
// subset says what it is of, and how it was made.
func Run(ctx context.Context, m Method, j *Job) (*Result, error) {
	name := m.Card().Name
	if err := catalog.Validate(m); err != nil {
		return nil, fmt.Errorf("method %s: %w", name, err)
	}
	if j.Set == nil || j.Set.Len() == 0 {
		return nil, catalog.Errorf("there are no samples: give {Data} with a training set")
	}
	digest := ""
	for _, l := range j.Dynamics {
		if digest == "" {
			digest = j.Set.Stored().Digest()
		}
		if l.Data != digest {
			return nil, fmt.Errorf("method %s: %w", name, catalog.Errorf("{Dynamics}: the log of training is of other data (digest %.12s, the data has %.12s): give the {Data} that was trained on", l.Data, digest))
		}
	}
	res, err := m.Run(ctx, j)
	if err != nil {
		return nil, fmt.Errorf("method %s: %w", name, err)
	}
	if digest == "" {
		digest = j.Set.Stored().Digest()
	}
	if s := res.Score; s != nil {
		res.noteMissing(j.Set)
		s.Name, s.Data, s.Made = name, digest, made(m, j)
		if err := s.Check(); err != nil {
			return nil, fmt.Errorf("method %s: %w", name, err)
		}
	}
	if s := res.Subset; s != nil {
		s.Name, s.Data, s.Of, s.Made = name, digest, j.Set.Len(), made(m, j)
		if s.Classes == nil {
			res.noteClasses(j.Set)
		}
	}
	return res, nil
}

// made says how something was made.
func made(m Method, j *Job) map[string]string {
	out := catalog.Values(m)
	out["seed"] = fmt.Sprint(j.Seed)
	if j.Score != nil {
		out["score"] = j.Score.Name
	}
	if j.Surrogate != nil {
		out["surrogate"] = run.Digest(j.Surrogate)
	}
	for i, t := range j.Targets {
		out[fmt.Sprintf("target.%d", i+1)] = t.Set.Digest()
	}
	for _, l := range j.Dynamics {
		out["network"] = l.Network
		for k, v := range l.Recipe {
			out["recipe."+k] = v
		}
	}
	return out
}

// Note adds a sentence for people; fields of settings stand in it as {Field}.
func (r *Result) Note(format string, a ...any) {
	r.Notes = append(r.Notes, catalog.Text(fmt.Sprintf(format, a...)))
}

// noteMissing says how many samples of the set the score lacks.
func (r *Result) noteMissing(set *dataset.Set) {
	missing := set.Len() - r.Score.Among(set)
	if missing > 0 {
		r.Note("%d of the %d samples are not in the log of training and have no score: they were held out, or {Data} is split otherwise", missing, set.Len())
	}
}

// noteClasses says which classes have vanished, and what the rarest has.
func (r *Result) noteClasses(set *dataset.Set) {
	classes := Classes(set)
	if classes == nil {
		return
	}
	before, after := map[int32]int{}, map[int32]int{}
	in := map[int32]bool{}
	for _, k := range r.Subset.Numbers {
		in[k] = true
	}
	for i, c := range classes {
		before[c]++
		if in[int32(set.Number(i))] {
			after[c]++
		}
	}
	var gone []int32
	least, rare := len(classes)+1, int32(0)
	for c := range int32(set.Class().Classes) {
		if n := after[c]; before[c] > 0 && n == 0 {
			gone = append(gone, c)
		} else if before[c] > 0 && n < least {
			least, rare = n, c
		}
	}
	if gone != nil {
		r.Note("nothing is left of classes %v: keep more", gone)
	} else if len(before) > 1 {
		r.Note("the rarest class, %d, keeps %d of its %d samples", rare, least, before[rare])
	}
}

// Classes is the class of each sample of a set; nil where there is not one for each.
func Classes(set *dataset.Set) []int32 {
	y := set.Class()
	if y == nil || y.Size() != 1 || !y.Held() {
		return nil
	}
	out := make([]int32, set.Len())
	for i := range out {
		out[i] = set.Label(i)
	}
	return out
}

// NeedsClasses is Classes, or an error that says why they are needed.
func (j *Job) NeedsClasses(why string) ([]int32, error) {
	c := Classes(j.Set)
	if c == nil {
		return nil, catalog.Errorf("%s: give {Data} with one class for each sample", why)
	}
	return c, nil
}

// NeedsDynamics returns an error where no training was logged.
func (j *Job) NeedsDynamics() error {
	if len(j.Dynamics) == 0 {
		return catalog.Errorf("the score is computed from a log of training: give {Dynamics}, which a training with {Record} dynamics writes")
	}
	for _, l := range j.Dynamics[1:] {
		if l.Samples != j.Dynamics[0].Samples {
			return catalog.Errorf("{Dynamics}: one log is of %d samples, another of %d", j.Dynamics[0].Samples, l.Samples)
		}
	}
	return nil
}

// NeedsScore gives the score's values of the samples of the set, in their order, higher
// where a sample is harder.
func (j *Job) NeedsScore() ([]float64, error) {
	if j.Score == nil {
		return nil, catalog.Errorf("samples are chosen by a score: give {Score}, a file of scores")
	}
	return j.Score.Hardness(j.Set)
}

// NeedsNetworks returns an error where there is no network.
func (j *Job) NeedsNetworks() error {
	if len(j.Networks) == 0 {
		return catalog.Errorf("the score is computed from what a network gives: give {Network}")
	}
	return nil
}

// NeedsEmbeddings gives the embeddings of the samples of the set, in their order.
func (j *Job) NeedsEmbeddings() (*Embeddings, error) {
	if j.Embeddings == nil {
		return nil, catalog.Errorf("the method looks at embeddings of the samples: give {Embeddings}, an array of them, or {Encoder}, a network that makes them")
	}
	if j.Embeddings.N != j.Set.Len() {
		return nil, catalog.Errorf("{Embeddings}: there are %d, and %d samples", j.Embeddings.N, j.Set.Len())
	}
	return j.Embeddings, nil
}

// NeedsTargets gives the target tasks.
func (j *Job) NeedsTargets() ([]*Target, error) {
	if len(j.Targets) == 0 {
		return nil, catalog.Errorf("what stays is what a target task has use for: give {Target}, the data of that task")
	}
	for _, t := range j.Targets {
		if t.Set.Len() == 0 {
			return nil, catalog.Errorf("{Target} %s: it has no training samples", t.Name)
		}
	}
	return j.Targets, nil
}
