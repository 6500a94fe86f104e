package model_test

import (
	"strings"
	"testing"

	"pare/model"
)

// What is neither multiply-accumulates nor parameters is refused, not left out.
func TestCountsAlone(t *testing.T) {
	if err := (&model.ChannelTarget{MACs: .5, Params: .5}).CountsAlone("this"); err != nil {
		t.Error(err)
	}
	for field, s := range map[string]model.ChannelTarget{"Bytes": {Bytes: .5}, "Activations": {Activations: .5}, "Latency": {Latency: .5},
		"LatencyCmd": {LatencyCmd: "true {}"}, "Widths": {Widths: []string{"*=1"}}, "AtLeast": {AtLeast: []string{"*=1"}}} {
		if err := s.CountsAlone("this"); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}
