package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Broken is the mutants of a method, or of a piece that methods share. What a mutant
// does not say of itself it has from here.
type Broken struct {
	What    string   // the method's name, or the piece's
	File    string   // below the root
	Tests   []string // folders of the packages whose tests must notice, in their order; nil: the file's own
	Claims  string   // name of the experiment that is to notice what tests do not; "": there is none
	Mutants []Mutant
}

// Mutant is a breakage: a piece of a source file, and what is put in its place.
type Mutant struct {
	Name     string
	Breaks   string // what is wrong then
	File     string
	Old      string // occurs once in the file
	New      string
	Tests    []string
	Claims   string
	Survives string // the argument, where nothing needs to notice

	what string
}

// mutants are those of a list, each with all that it has from its method. It returns
// an error where two have one name.
func mutants(list []Broken) ([]*Mutant, error) {
	var out []*Mutant
	seen := map[string]bool{}
	for _, b := range list {
		for _, m := range b.Mutants {
			if m.what = b.What; m.File == "" {
				m.File = b.File
			}
			if m.Tests == nil {
				m.Tests = b.Tests
			}
			if m.Tests == nil {
				m.Tests = []string{path.Dir(m.File)}
			}
			if m.Claims == "" {
				m.Claims = b.Claims
			}
			if seen[m.Name] {
				return nil, fmt.Errorf("two mutants are called %s", m.Name)
			}
			seen[m.Name] = true
			out = append(out, &m)
		}
	}
	return out, nil
}

// source is the mutated file. It returns an error that names the mutant where the
// piece does not occur once: the code has changed, and the mutant must follow.
func (m *Mutant) source(root string) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(m.File)))
	if err != nil {
		return nil, fmt.Errorf("mutant %s: %w", m.Name, err)
	}
	switch n := strings.Count(string(b), m.Old); {
	case m.Old == "" || m.Old == m.New:
		return nil, fmt.Errorf("mutant %s changes nothing", m.Name)
	case n != 1:
		return nil, fmt.Errorf("mutant %s is stale: its piece occurs %d times in %s, not once:\n%s", m.Name, n, m.File, m.Old)
	}
	return []byte(strings.Replace(string(b), m.Old, m.New, 1)), nil
}

// overlay writes the mutated file into a folder, and beside it the list of files in
// place of others that the go command takes. It gives the list's path.
func (m *Mutant) overlay(root, dir string) (string, error) {
	src, err := m.source(root)
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, path.Base(m.File))
	if err := os.WriteFile(file, src, 0o644); err != nil {
		return "", err
	}
	abs, err := filepath.Abs(filepath.Join(root, filepath.FromSlash(m.File)))
	if err != nil {
		return "", err
	}
	b, err := json.Marshal(map[string]any{"Replace": map[string]string{abs: file}})
	if err != nil {
		return "", err
	}
	list := filepath.Join(dir, "overlay.json")
	return list, os.WriteFile(list, b, 0o644)
}

// choose keeps the mutants whose name, or what they break, matches one of the patterns
// (none: all). It returns an error where a pattern matches nothing.
func choose(all []*Mutant, patterns []string) ([]*Mutant, error) {
	if len(patterns) == 0 {
		return all, nil
	}
	keep := map[*Mutant]bool{}
	for _, p := range patterns {
		n := len(keep)
		for _, m := range all {
			for _, name := range []string{m.Name, m.what} {
				ok, err := path.Match(p, name)
				if err != nil {
					return nil, fmt.Errorf("pattern %q: %w", p, err)
				}
				if ok {
					keep[m] = true
				}
			}
		}
		if len(keep) == n {
			return nil, fmt.Errorf("pattern %q matches no further mutant, nor what one breaks", p)
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(m *Mutant) bool { return !keep[m] }), nil
}

// draw takes n of the mutants that something must notice, by seed, in their order.
func draw(all []*Mutant, n int, seed uint64) []*Mutant {
	left := slices.DeleteFunc(slices.Clone(all), func(m *Mutant) bool { return m.Survives != "" })
	order := rand.New(rand.NewPCG(seed, 0x3a7)).Perm(len(left))
	order = order[:min(n, len(order))]
	slices.Sort(order)
	var out []*Mutant
	for _, i := range order {
		out = append(out, left[i])
	}
	return out
}
