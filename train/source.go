package train

import (
	"context"
	"fmt"
	"time"

	"pare/dataset"
)

// Data feeds a loader's batches to training, the next ones prepared meanwhile.
type Data struct {
	*dataset.Loader
	ahead *dataset.Ahead
	ctx   context.Context // of the training, which ends waiting too
	order *dataset.Loader // that says which samples a batch has
	at    []int32
}

// NewData feeds batches of a loader.
func NewData(l *dataset.Loader) *Data { return &Data{Loader: l} }

// Samples are those that are fed.
func (d *Data) Samples() *dataset.Set { return d.Set }

// Waited is how long batches were waited for so far.
func (d *Data) Waited() time.Duration {
	if d.ahead == nil {
		return 0
	}
	return d.ahead.Waited
}

// Close ends the background work.
func (d *Data) Close() {
	if d.ahead != nil {
		d.ahead.Close()
		d.ahead = nil
	}
}

// Fill writes a batch into the step's inputs and targets.
func (d *Data) Fill(epoch, i int, s *Step) error {
	if s.view.samples == nil {
		return fmt.Errorf("the step was planned without samples: there is nothing that a batch goes into")
	}
	if d.ahead == nil {
		if d.ctx == nil {
			d.ctx = context.Background()
		}
		d.ahead = dataset.NewAheadContext(d.ctx, d.Loader)
	}
	_, err := d.ahead.Fill(epoch, i, s.fed)
	return err
}
