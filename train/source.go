package train

import (
	"fmt"

	"pare/dataset"
)

// Data feeds a loader's batches to training, the next one prepared meanwhile.
type Data struct {
	*dataset.Loader
	ahead *dataset.Ahead
}

// NewData feeds batches of a loader.
func NewData(l *dataset.Loader) *Data { return &Data{Loader: l} }

// Samples are those that are fed.
func (d *Data) Samples() *dataset.Set { return d.Set }

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
		d.ahead = dataset.NewAhead(d.Loader)
	}
	_, err := d.ahead.Fill(epoch, i, s.fed)
	return err
}
