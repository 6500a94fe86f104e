// Package coreset holds the methods that choose which samples of a training set stay: at
// random, by a score, or by how embeddings are covered.
package coreset

import (
	"context"
	_ "embed"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"pare/catalog"
	"pare/data"
)

// Random keeps samples drawn at random.
type Random struct {
	data.Amount
	Stratified bool `flag:"stratified" doc:"keep the same share of every class"`
	ByClass
}

//go:embed random.md
var randomDoc string

// NewRandom is the method at half of the samples.
func NewRandom() *Random { return &Random{Amount: data.Amount{Keep: .5}} }

// Card describes the method.
func (*Random) Card() *catalog.Card {
	return &catalog.Card{Name: "random-subset", Title: "Samples drawn at random", Noun: "data", Doc: randomDoc, Cuts: "samples", Needs: catalog.Samples, Paper: "the baseline that every other choice must beat"}
}

// Run chooses.
func (s *Random) Run(_ context.Context, j *data.Job) (*data.Result, error) {
	m, err := s.Count(j.Set.Len())
	if err != nil {
		return nil, err
	}
	order := draw(j.Seed, randomSeed).Perm(j.Set.Len())
	if s.Stratified {
		class, err := j.NeedsClasses("strata are classes")
		if err != nil {
			return nil, err
		}
		if err := enough(class, m, "Stratified"); err != nil {
			return nil, err
		}
		order = within(order, class)
	}
	return s.keep(j, order, m)
}

// Seeds of draws, which keep those of different methods apart.
const (
	randomSeed = iota + 0xda7a
	ccsSeed
)

func draw(seed, of uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, of)) }

// enough returns an error where fewer samples are to stay than there are classes, of each of which a
// setting keeps some.
func enough(class []int32, m int, setting string) error {
	there := map[int32]bool{}
	for _, c := range class {
		there[c] = true
	}
	if m < len(there) {
		return catalog.Errorf("{%s}: %d samples are to stay, and there are %d classes: not each could keep one; keep more by {Keep} or {Samples}", setting, m, len(there))
	}
	return nil
}

// within brings samples of an order into one of which each beginning has the same share of
// every group, as near as whole samples go: the k-th of the n of a group comes at (k-1/2)/n.
func within(order []int, group []int32) []int {
	count, seen := map[int32]int{}, map[int32]int{}
	for _, g := range group {
		count[g]++
	}
	at := make([]float64, len(group))
	for _, i := range order {
		at[i] = (float64(seen[group[i]]) + .5) / float64(count[group[i]])
		seen[group[i]]++
	}
	out := slices.Clone(order)
	slices.SortStableFunc(out, func(a, b int) int {
		switch {
		case at[a] < at[b]:
			return -1
		case at[a] > at[b]:
			return 1
		}
		return 0
	})
	return out
}

// ByClass is the setting of what each class keeps.
type ByClass struct {
	Floor float64  `flag:"floor" range:"[0,1]" doc:"each class keeps at least this share of what it would have, were all classes to keep as many"`
	Quota []string `flag:"quota" doc:"samples that classes keep, as in 3=50 (or 3=10-50: from 10 to 50), by number or name; a list"`
}

// keep takes m samples in an order, and what the classes are to have of them.
func (b *ByClass) keep(j *data.Job, order []int, m int) (*data.Result, error) {
	q, notes, err := b.quotas(j, m)
	if err != nil {
		return nil, err
	}
	places, err := q.Fill(order, data.Classes(j.Set), m)
	if err != nil {
		return nil, err
	}
	return &data.Result{Subset: data.Keep(j.Set, places), Notes: notes}, nil
}

// quotas are those of the settings; nil: none.
func (b *ByClass) quotas(j *data.Job, m int) (*data.Quotas, []catalog.Text, error) {
	class := data.Classes(j.Set)
	if class == nil && len(b.Quota) == 0 || b.Floor == 0 && len(b.Quota) == 0 {
		return nil, nil, nil // without labels there is no floor
	}
	class, err := j.NeedsClasses("quotas are of classes")
	if err != nil {
		return nil, nil, err
	}
	y := j.Set.Class()
	q := &data.Quotas{Least: make([]int, y.Classes), Most: make([]int, y.Classes)}
	have := make([]int, y.Classes)
	for _, c := range class {
		if c < 0 || int(c) >= y.Classes {
			return nil, nil, catalog.Errorf("there are samples of no class: quotas need one for each in {Data}")
		}
		have[c]++
	}
	if b.Floor > 0 {
		if err := enough(class, m, "Floor"); err != nil {
			return nil, nil, err
		}
	}
	there := 0
	for _, n := range have {
		if n > 0 {
			there++
		}
	}
	floor := int(b.Floor * float64(m) / float64(there))
	var res data.Result
	for c := range have {
		q.Least[c], q.Most[c] = floor, have[c]
		if have[c] < floor {
			q.Least[c] = have[c]
			if have[c] > 0 {
				res.Note("class %d has %d samples, fewer than its least of %d: all stay", c, have[c], floor)
			}
		}
	}
	for _, text := range b.Quota {
		name, n, ok := strings.Cut(text, "=")
		c := slices.Index(y.Names, name)
		if k, err := strconv.Atoi(name); err == nil && c < 0 {
			c = k
		}
		lo, hi, both := strings.Cut(n, "-")
		if !both {
			hi = lo
		}
		least, err1 := strconv.Atoi(lo)
		most, err2 := strconv.Atoi(hi)
		if !ok || c < 0 || c >= y.Classes || err1 != nil || err2 != nil || least < 0 || most < least {
			return nil, nil, catalog.Errorf("{Quota} %q: CLASS=SAMPLES or CLASS=FROM-TO is needed, of a class from 0 to %d or by its name", text, y.Classes-1)
		}
		if least > have[c] {
			return nil, nil, catalog.Errorf("{Quota} %q: the class has %d samples", text, have[c])
		}
		q.Least[c], q.Most[c] = least, min(most, have[c])
	}
	return q, res.Notes, nil
}
