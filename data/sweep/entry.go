// Package sweep runs methods that choose samples side by side: the same network, data and
// recipe, several shares of the samples, several seeds, and beside them random samples and
// all of them. Every run that ends is kept in a file, so that a sweep that was stopped goes
// on where it was.
package sweep

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pare/catalog"
	"pare/data"
	"pare/data/all"
	"pare/data/coreset"
	"pare/data/score"
	"pare/data/transfer"
)

// All is the label of the control that is trained on all samples.
const All = "all"

// Random is the method that every comparison has.
const Random = "random-subset"

// EntryHelp explains ParseEntry's syntax.
const EntryHelp = "NAME[:SETTING=VALUE…][@SCORE[:SETTING=VALUE…]]"

// keep is the setting that a sweep varies, samples the one in its place.
const keep, samples = "keep", "samples"

// Entry is a method that chooses samples, with settings of its own and the score that it
// chooses by, as "ccs:cutoff=0.1@el2n:window=5" names it.
type Entry struct {
	Text    string
	chooser string // NAME:SETTING=VALUE…
	scorer  string // "": it chooses by none
	fixed   bool   // how many stay is set
}

// ParseEntry reads a method and its settings (see EntryHelp). ccs and rank choose by AUM
// where no score is named.
func ParseEntry(text string) (*Entry, error) {
	e := &Entry{Text: text}
	e.chooser, e.scorer, _ = strings.Cut(text, "@")
	m, spec, err := all.Parse(e.chooser)
	if err != nil {
		return nil, fmt.Errorf("%q: %s", text, catalog.Rename(err, func(f string) string { return f }))
	}
	e.fixed = spec.Gives(m, keep) || spec.Gives(m, samples)
	byScore := false
	switch m := m.(type) {
	case *transfer.LabelMapping, *transfer.FeatureMapping:
		return nil, fmt.Errorf("%q: what is kept for another task is not judged by this one: leave it out", text)
	case *coreset.Rank:
		byScore = true
	case *coreset.CCS:
		byScore = true
		if m.Cutoff < 0 {
			return nil, fmt.Errorf("%q: there is no pilot here: give a number, as cutoff=0.1", text)
		}
	default:
		if all.Scores(m) {
			return nil, fmt.Errorf("%q scores samples and chooses none: name it behind a method that does, as rank@%s", text, e.chooser)
		}
	}
	switch {
	case byScore && e.scorer == "" && !strings.Contains(text, "@"):
		e.scorer = "aum"
	case byScore:
		s, _, err := all.Parse(e.scorer)
		if err == nil && !all.Scores(s) {
			err = fmt.Errorf("%s chooses samples and gives no scores", e.scorer)
		}
		if err != nil {
			return nil, fmt.Errorf("%q: %s", text, catalog.Rename(err, func(f string) string { return f }))
		}
	case strings.Contains(text, "@"):
		return nil, fmt.Errorf("%q: %s chooses by no score: leave @%s out", text, m.Card().Name, e.scorer)
	}
	return e, nil
}

// method is the entry's, at a share of the samples where one is given.
func (e *Entry) method(at string) (data.Method, error) {
	m, _, err := all.Parse(e.chooser)
	if err == nil && at != "" {
		err = catalog.Set(m, keep, at)
	}
	if err == nil {
		err = catalog.Validate(m)
	}
	if err != nil {
		return nil, fmt.Errorf("%q: %s", e.Text, catalog.Rename(err, func(f string) string { return catalog.NameOf(m, f) }))
	}
	return m, nil
}

// Cell is one run of a sweep.
type Cell struct {
	Label  string      `json:"label"`          // the method as it was named
	Keep   string      `json:"keep,omitempty"` // share that was asked for; "": what the entry or the method has
	Seed   uint64      `json:"seed"`
	Method data.Method `json:"-"` // nil: all samples
	Scorer data.Method `json:"-"` // of the score that it chooses by; nil: none
}

// Cells are the runs of all methods at all shares with seeds 1 to n, of all samples, and of
// random ones, where they are not among the entries.
func Cells(entries []*Entry, shares []string, seeds int) ([]*Cell, error) {
	if err := checkShares(shares); err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(entries, func(e *Entry) bool { return e.chooser == Random }) {
		r, err := ParseEntry(Random)
		if err != nil {
			return nil, err
		}
		entries = append([]*Entry{r}, entries...)
	}
	var out []*Cell
	for seed := uint64(1); seed <= uint64(seeds); seed++ {
		out = append(out, &Cell{Label: All, Seed: seed})
		for _, e := range entries {
			at := shares
			if e.fixed {
				at = []string{""}
			}
			for _, s := range at {
				c := &Cell{Label: e.Text, Keep: s, Seed: seed}
				var err error
				if c.Method, err = e.method(s); err != nil {
					return nil, err
				}
				if e.scorer != "" {
					if c.Scorer, _, err = all.Parse(e.scorer); err != nil {
						return nil, err
					}
				}
				out = append(out, c)
			}
		}
	}
	return out, nil
}

func checkShares(ss []string) error {
	var seen []float64
	for _, s := range ss {
		x, err := strconv.ParseFloat(s, 64)
		if err != nil || !(x > 0 && x <= 1) {
			return fmt.Errorf("share %q is not a number in (0,1]", s)
		}
		if slices.Contains(seen, x) {
			return fmt.Errorf("share %s is given twice", s)
		}
		seen = append(seen, x)
	}
	return nil
}

// samples are those of an epoch of n samples.
func (c *Cell) samples(n int) (int, error) {
	switch m := c.Method.(type) {
	case nil:
		return n, nil
	case *coreset.RS2:
		return max(1, int(m.Keep*float64(n)+.5)), nil
	case *coreset.CCS:
		k, err := m.Count(n)
		if off := int(m.Cutoff*float64(n) + 1e-9); err == nil && k > n-off {
			err = catalog.Errorf("{Cutoff} %v leaves %d of %d samples, and %d are to stay", m.Cutoff, n-off, n, k)
		}
		return k, err
	case interface{ Count(int) (int, error) }:
		return m.Count(n)
	}
	return n, nil
}

// free says whether the choice takes no training on all samples.
func (c *Cell) free() bool {
	switch c.Method.(type) {
	case nil, *coreset.Random, *coreset.RS2:
		return true
	}
	return false
}

// embeds says whether the choice looks at embeddings.
func (c *Cell) embeds() bool {
	switch c.Method.(type) {
	case *coreset.Herding, *coreset.KCentre:
		return true
	}
	_, is := c.Scorer.(*score.Prototypes)
	return is
}

// name calls the cell in an error.
func (c *Cell) name() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s seed %d", c.Label, c.Keep, c.Seed))
}
