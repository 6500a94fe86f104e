package structured

import (
	"math"
	"testing"

	"pare/internal/modeltest"
	"pare/measure"
	"pare/model"
)

// Channels are cut down to what may stay, and the smaller network is trained.
func TestChannels(t *testing.T) {
	for _, epochs := range []int{0, 1} {
		j := modeltest.ConvJob(t, "resnet8")
		j.Recipe.Epochs = epochs
		before, _, err := measure.Of(j.Graph)
		if err != nil {
			t.Fatal(err)
		}
		r := modeltest.Run(t, NewChannels(), j)
		after, _, err := measure.Of(r.Graph)
		if err != nil {
			t.Fatal(err)
		}
		if share := float64(after.MACs) / float64(before.MACs); share > .5 || share < .35 || after.Params >= before.Params || len(r.Epochs) != epochs || r.Masks != nil {
			t.Errorf("%.3f of the computation and %d of %d parameters are left, %d epochs", share, after.Params, before.Params, len(r.Epochs))
		}
		if now, _, _ := measure.Of(j.Graph); now != before {
			t.Error("the job's network was cut")
		}
	}
}

func TestChannelsBadInput(t *testing.T) {
	for want, s := range map[string]model.ChannelTarget{
		"no cut of channels":             {MACs: 1e-9},
		"no target: give MACs or Params": {},
		"MACs 1.5: a number in [0,1]":    {MACs: 1.5},
		"Params NaN: a number in [0,1]":  {Params: math.NaN()},
		"Least 1: a number in [0,1)":     {MACs: .5, Least: 1},
		"Round -1: a number of at least": {MACs: .5, Round: -1},
	} {
		modeltest.Refused(t, &Channels{s}, modeltest.Job(t, 0), want)
	}
}
