package federated

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"pare/run"
	"pare/train"
)

// state is a server's between two rounds, in a file: what goes on from it comes to the
// same bytes. Clients keep no more than the masks that they were sent.
type state struct {
	Key     run.Key       `json:"key"`
	Round   int           `json:"round"` // that is done
	Steps   int           `json:"steps"` // optimiser steps of all clients so far
	Model   []byte        `json:"model"` // as it would be sent, masks and all
	Version int           `json:"version"`
	Held    []int         `json:"held"`
	Facts   *Facts        `json:"facts"`
	Epochs  []train.Epoch `json:"epochs"`
}

// save writes the state beside, and renames it.
func (s *Server) save(path string, st *state) error {
	if path == "" {
		return nil
	}
	m := *s.model
	m.Masks = s.masks
	st.Model = Marshal(&Broadcast{Ask: AskTraining, Round: st.Round, Model: &m})
	st.Version, st.Held, st.Facts = s.version, s.held, s.facts
	b, err := json.Marshal(st)
	if err != nil {
		return err
	}
	return renameio.WriteFile(path, b, 0o644, renameio.WithTempDir(filepath.Dir(path)))
}

// load goes on from a state, if there is one; nil: there is none.
func (s *Server) load(path string, key run.Key) (*state, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	st := &state{}
	if err := json.Unmarshal(b, st); err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", path, err)
	}
	for i := range max(len(key), len(st.Key)) {
		was, is := "nothing", "nothing"
		if i < len(st.Key) {
			was = st.Key[i]
		}
		if i < len(key) {
			is = key[i]
		}
		if was != is {
			return nil, fmt.Errorf("checkpoint %s: it was begun with %s, this run has %s: repeat what began it, or remove the checkpoint to begin anew", path, was, is)
		}
	}
	m, err := ReadBroadcast(st.Model, &s.net.Layout, nil)
	switch {
	case err != nil:
		return nil, fmt.Errorf("checkpoint %s: %w", path, err)
	case m.Model.Masks == nil || m.Model.Values == nil || len(st.Held) != len(s.held) || st.Facts == nil || len(st.Facts.Of) != len(s.held) || len(st.Facts.Rounds) != st.Round || len(st.Epochs) != st.Round:
		return nil, fmt.Errorf("checkpoint %s: parts of it are missing", path)
	}
	s.masks, s.model = m.Model.Masks, m.Model
	s.model.Masks = nil
	s.version, s.held, s.facts = st.Version, st.Held, st.Facts
	s.net.write(s.model, s.masks)
	return st, nil
}
