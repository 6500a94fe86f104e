package data

import (
	"fmt"
	"slices"

	"pare/catalog"
	"pare/dataset"
)

// Subset is the samples that stay.
type Subset struct {
	Name    string            `json:"subset"`         // the method that chose them
	Data    string            `json:"data,omitempty"` // digest of what is stored with the samples; "": not known
	Of      int               `json:"of,omitempty"`   // samples that there were
	Made    map[string]string `json:"made,omitempty"` // settings it was made with
	Numbers []int32           `json:"-"`              // stored numbers of the samples, rising

	// Classes are those that stay, rising, where whole classes go: they are numbered anew in
	// this order. nil: classes keep their numbers.
	Classes []int32 `json:"classes,omitempty"`
}

// Keep is the subset of samples of a set, by their places.
func Keep(set *dataset.Set, places []int) *Subset {
	s := &Subset{}
	for _, i := range places {
		s.Numbers = append(s.Numbers, int32(set.Number(i)))
	}
	slices.Sort(s.Numbers)
	return s
}

// Sort puts the numbers into their order, each once.
func (s *Subset) Sort() {
	slices.Sort(s.Numbers)
	s.Numbers = slices.Compact(s.Numbers)
}

// Select is the samples of a set that are in the subset. It returns an error where the
// subset is of other data, or names a sample twice or one that the set has not.
func (s *Subset) Select(set *dataset.Set) (*dataset.Set, error) {
	if d := set.Stored().Digest(); s.Data != "" && s.Data != d {
		return nil, catalog.Errorf("{Subset} is of other data (digest %.12s, the data has %.12s): choose from this {Data}", s.Data, d)
	}
	if len(s.Numbers) == 0 {
		return nil, catalog.Errorf("{Subset} has no samples")
	}
	out, err := set.Pick(s.Numbers)
	if y := set.Class(); err == nil && len(s.Classes) > 0 {
		if y != nil && int(s.Classes[len(s.Classes)-1]) >= y.Classes {
			return nil, catalog.Errorf("{Subset}: class %d is to stay, and the {Data} has %d classes", s.Classes[len(s.Classes)-1], y.Classes)
		}
		all := out.Len()
		if out, err = out.Only(s.Classes); err == nil && out.Len() < all {
			err = fmt.Errorf("%d of the %d samples are of classes that are not to stay", all-out.Len(), all)
		}
	}
	if err != nil {
		return nil, catalog.Errorf("{Subset}: %v", err)
	}
	return out, nil
}

// Apply is data with the samples of the subset alone in its training set. Where whole
// classes go, they go from the validation and the test set too, and those that stay have
// the same new numbers everywhere.
func (s *Subset) Apply(d *dataset.Data) (*dataset.Data, error) {
	if d.Train == nil {
		return nil, catalog.Errorf("{Data} has no training set")
	}
	out := *d
	var err error
	if out.Train, err = s.Select(d.Train); err != nil || len(s.Classes) == 0 {
		return &out, err
	}
	for _, held := range []**dataset.Set{&out.Val, &out.Test} {
		if *held == nil {
			continue
		}
		was := *held
		if *held, err = was.Only(s.Classes); err == nil && (*held).Len() == 0 {
			err = fmt.Errorf("no sample of the %s set is of a class that stays", was.Name)
		}
		if err != nil {
			return nil, catalog.Errorf("{Subset}: %v", err)
		}
	}
	return &out, nil
}

// Amount is the setting of how many samples stay.
type Amount struct {
	Keep    float64 `flag:"keep" range:"[0,1]" doc:"share of the samples that stays, above 0"`
	Samples int     `flag:"samples" range:"[0,)" doc:"number of samples that stay (0: what keep says)"`
}

// Count is the number of samples that stay of n: the share is rounded down.
func (a Amount) Count(n int) (int, error) {
	m := int(a.Keep*float64(n) + 1e-9)
	if a.Samples > 0 {
		m = a.Samples
	}
	if m < 1 {
		return 0, catalog.Errorf("{Keep} %v of %d samples is none: keep at least %.3g", a.Keep, n, 1/float64(n))
	}
	if m > n {
		return 0, catalog.Errorf("{Samples} %d: there are %d samples", m, n)
	}
	return m, nil
}

// Quotas are the least and the most samples that a class keeps.
type Quotas struct{ Least, Most []int }

// Fill takes m samples in an order, the least of each class first. It returns an error
// where the quotas cannot be met.
func (q *Quotas) Fill(order []int, class []int32, m int) ([]int, error) {
	if q == nil {
		return order[:m], nil
	}
	need, room := 0, 0
	have := make([]int, len(q.Least))
	for _, i := range order {
		have[class[i]]++
	}
	for c := range have {
		if q.Most[c] < q.Least[c] {
			return nil, fmt.Errorf("class %d is to keep at least %d samples and at most %d", c, q.Least[c], q.Most[c])
		}
		need += min(q.Least[c], have[c])
		room += min(q.Most[c], have[c])
	}
	if need > m || room < m {
		return nil, catalog.Errorf("the quotas of the classes leave from %d to %d samples, and %d are to stay: change {Keep}, {Floor} or {Quota}", need, room, m)
	}
	out := make([]int, 0, m)
	taken := make([]int, len(have))
	in := make([]bool, len(class))
	take := func(i int) {
		in[i] = true
		taken[class[i]]++
		out = append(out, i)
	}
	for _, i := range order {
		if taken[class[i]] < q.Least[class[i]] {
			take(i)
		}
	}
	for _, i := range order {
		if len(out) == m {
			break
		}
		if !in[i] && taken[class[i]] < q.Most[class[i]] {
			take(i)
		}
	}
	return out, nil
}
