// Package run knows what an experiment was: the names of its checkpoints, the
// facts that a checkpoint or an outcome belongs to, its trainings one after the
// other, and the ledger of what has ended.
package run

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Series are the trainings that one run makes one after the other. Each has a
// checkpoint of its own, so that a run that resumes passes through those that are
// done; progress counts the steps of all of them.
type Series struct {
	Save   string // of the run; "" saves nothing
	N      int    // trainings in all; the checkpoint of a single one is Save itself
	Steps  int    // optimiser steps of all of them, for who waits
	OnStep func(step, total int, loss float64)

	begun, done int
}

// Next gives the checkpoint of the next training and what to tell of its steps,
// of which there are steps.
func (s *Series) Next(steps int) (save string, onStep func(step, total int, loss float64)) {
	save = s.Save
	if save != "" && s.N > 1 {
		save = Part(s.Save, s.begun)
	}
	done := s.done
	s.begun++
	s.done += steps
	s.Steps = max(s.Steps, s.done)
	if s.OnStep == nil {
		return save, nil
	}
	return save, func(step, _ int, loss float64) { s.OnStep(done+step, s.Steps, loss) }
}

// Part is the checkpoint of part i of a run, such as of a training of a series.
func Part(save string, i int) string { return fmt.Sprintf("%s.%d", save, i+1) }

// partOf is the number of a training in its series by its checkpoint, 1 where it is the
// only one.
func partOf(save string) int {
	if n, err := strconv.Atoi(strings.TrimPrefix(filepath.Ext(save), ".")); err == nil && n > 0 {
		return n
	}
	return 1
}

// Clean removes the checkpoints of a run that is done.
func Clean(save string) {
	if save == "" {
		return
	}
	os.Remove(save)       //nolint:errcheck // there may be none
	os.Remove(memo(save)) //nolint:errcheck // as well
	for i := 0; os.Remove(Part(save, i)) == nil; i++ {
	}
}
