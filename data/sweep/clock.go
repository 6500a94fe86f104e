package sweep

import (
	"encoding/json"
	"time"

	"pare/train"
)

// Point is where a training was after an epoch.
type Point struct {
	Step    int     `json:"step"`
	Seconds float64 `json:"seconds"` // of training until then, without judging
	Score   float64 `json:"score"`
}

// clock notes how long the steps of a training take, and how good it is after each epoch.
// It goes on where a training does that was stopped.
type clock struct {
	train.Observer
	Spent  float64 `json:"seconds"`
	Course []Point `json:"course"`

	mark time.Time
	now  func() time.Time
}

// Name is that of the state in a checkpoint.
func (c *clock) Name() string { return "clock" }

// BeforeStep begins to count where nothing has.
func (c *clock) BeforeStep(*train.Run) error {
	if c.mark.IsZero() {
		c.mark = c.now()
	}
	return nil
}

// AfterStep counts a step with the wait for its samples.
func (c *clock) AfterStep(*train.Run) error {
	t := c.now()
	c.Spent += t.Sub(c.mark).Seconds()
	c.mark = t
	return nil
}

// AfterEpoch comes after the network was judged, which does not count.
func (c *clock) AfterEpoch(_ *train.Run, e train.Epoch) error {
	c.Course = append(c.Course, Point{e.Step, c.Spent, e.Score.Value})
	c.mark = c.now()
	return nil
}

// MarshalBinary is what was counted.
func (c *clock) MarshalBinary() ([]byte, error) { return json.Marshal(c) }

// UnmarshalBinary goes back to a state.
func (c *clock) UnmarshalBinary(b []byte) error {
	c.Spent, c.Course, c.mark = 0, nil, time.Time{}
	return json.Unmarshal(b, c)
}
