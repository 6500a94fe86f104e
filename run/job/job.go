// Package job is a run as it travels: a command line whose files are known by their
// digests, so that a process on this machine or on another makes the same run of it.
package job

import (
	"context"

	"pare/run"
)

// Job is one run that is to be made.
type Job struct {
	ID   string   `json:"id"`   // names it among the jobs of its sweep, and tells its checkpoint: letters, digits and .-
	Args []string `json:"args"` // of the command, such as "model", "prune"; {NAME} in them stands for the path of a file, {output} for that of the output

	Files  []File `json:"files"`            // that it reads
	Output string `json:"output,omitempty"` // the file's name of what it writes, such as net.pare; "": nothing

	Threads int `json:"threads"`         // that it computes with
	Until   int `json:"until,omitempty"` // epochs after which it pauses, with its checkpoint kept; 0: it goes on to its end
}

// File is a file, or a folder of files, that a job reads.
type File struct {
	Name   string `json:"name"` // in braces in the job's arguments
	Path   string `json:"-"`    // where it lies on the machine that asks
	Base   string `json:"base"` // the last part of its path, for what it is may be told by its ending
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // of the file; of a folder that of the list of what is in it

	Folder bool   `json:"folder,omitempty"`
	Parts  []Part `json:"parts,omitempty"` // of a folder
}

// Part is a file of a folder.
type Part struct {
	Path   string `json:"path"` // relative, with slashes
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Done is how a job ended.
type Done struct {
	Job    string     `json:"job"`
	Status run.Status `json:"status"` // Done, Failed, or Stopped: it has paused
	Error  string     `json:"error,omitempty"`

	Run     string             `json:"run"` // name of its directory in the store of who asked
	Values  map[string]float64 `json:"values,omitempty"`
	Metric  string             `json:"metric,omitempty"` // which of the values decides
	Output  *run.File          `json:"output,omitempty"`
	Worker  string             `json:"worker"`  // that ended it
	Tries   int                `json:"tries"`   // workers that had it, one after the other
	Seconds float64            `json:"seconds"` // of computing, of all tries that are known
}

// Maker makes jobs: as children of this process, or by workers behind a queue.
type Maker interface {
	// Make makes a job, or goes on with one that has paused or was stopped, and gives how it
	// ended; note is told of points as they come, one after the other, each once: those that
	// earlier tries have made come first. A run that fails is a Done; an error is what keeps
	// jobs from being made. Where ctx ends the run is stopped, its checkpoint is kept, and Make
	// returns ctx's error.
	Make(ctx context.Context, j *Job, note func(*run.Point)) (*Done, error)
}
