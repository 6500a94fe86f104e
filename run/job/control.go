package job

import (
	"encoding/json"
	"fmt"
	"os"

	"pare/run"
)

// Control is what a process that makes a job's run is told by whoever started it, in the
// environment: the command line is that of the run alone. Its standard input is a pipe that
// ends where who started it has died, at which it stops as at a signal.
type Control struct {
	Job   string   `json:"job"`
	Store string   `json:"store"` // in which the run's directory is
	Run   string   `json:"run"`   // its name; where it is there, it is gone on with
	Tags  []string `json:"tags,omitempty"`
	Until int      `json:"until,omitempty"` // see Job
}

// environment is the variable that has a Control.
const environment = "PARE_JOB"

// Paused is the exit status of a process that has come to a Control's Until.
const Paused = 75

// Controlled gives what this process was told, and takes it out of the environment, so that
// processes that it starts are not told; nil: nothing.
func Controlled() (*Control, error) {
	text := os.Getenv(environment)
	if text == "" {
		return nil, nil
	}
	os.Unsetenv(environment) //nolint:errcheck // it is there
	c := &Control{}
	if err := json.Unmarshal([]byte(text), c); err != nil {
		return nil, fmt.Errorf("the environment's %s: %w", environment, err)
	}
	if !IsID(c.Job) || c.Store == "" || !run.IsName(c.Run) || c.Until < 0 {
		return nil, fmt.Errorf("the environment's %s names no job, store or run", environment)
	}
	return c, nil
}

// variable is a Control as a process's environment has it.
func (c *Control) variable() (string, error) {
	b, err := json.Marshal(c)
	return environment + "=" + string(b), err
}
