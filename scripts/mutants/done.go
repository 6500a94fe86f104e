package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// outcome is what came of a mutant, as a line of a file.
type outcome struct {
	Mutant string   `json:"mutant"`
	By     string   `json:"by,omitempty"` // the first test or claim that noticed
	Ran    []string `json:"ran"`
}

// readDone reads outcomes by the mutants' names; of two the later counts.
func readDone(file string) (map[string]outcome, error) {
	out := map[string]outcome{}
	if file == "" {
		return out, nil
	}
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	for d := json.NewDecoder(bytes.NewReader(b)); ; {
		var o outcome
		if err := d.Decode(&o); err == io.EOF {
			return out, nil
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		out[o.Mutant] = o
	}
}

// addDone adds a line.
func addDone(file string, o outcome) error {
	if file == "" {
		return nil
	}
	b, err := json.Marshal(o)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	return errors.Join(err, f.Close())
}
