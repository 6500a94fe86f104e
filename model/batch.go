package model

import "pare/dataset"

// AutoBatch is the Recipe.Batch that is chosen by what the training is.
const AutoBatch = -1

const (
	usualBatch = 128
	leastBatch = 16
	// distilSteps are the steps below which a distillation takes smaller batches. What the
	// network before gives is a target with little noise: many small steps come nearer to it
	// than few large ones.
	distilSteps = 400
)

// batch is the number of samples in a step of the recipe's training.
func (j *Job) batch() int {
	b := j.Recipe.Batch
	if b != AutoBatch {
		return b
	}
	b = usualBatch
	if j.Data == nil || j.Data.Train == nil {
		return b
	}
	n := j.Data.Train.Len()
	if s, err := dataset.ParseSampler(j.Recipe.Sampler); err == nil && n > 0 {
		n = s.Len(j.Data.Train) // of an epoch
	}
	for b > 1 && b > n {
		b /= 2
	}
	if distils, err := j.distils(); err != nil || !distils || j.Recipe.Epochs == 0 {
		return b
	}
	for b > leastBatch && j.Recipe.Epochs*(n/b) < distilSteps {
		b /= 2
	}
	return b
}

// sizeBatch puts the batch that is chosen into the recipe, and says what it is where it
// is not the usual one.
func (j *Job) sizeBatch() {
	if j.Recipe.Batch != AutoBatch {
		return
	}
	if j.Recipe.Batch = j.batch(); j.Recipe.Batch != usualBatch {
		j.Logf("batches of %d samples: %d at a time would make few steps ({Recipe.Batch} sets it)", j.Recipe.Batch, usualBatch)
	}
}
