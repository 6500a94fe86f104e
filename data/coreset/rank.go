package coreset

import (
	"context"
	_ "embed"
	"slices"

	"pare/catalog"
	"pare/data"
)

// Rank keeps the hardest or the easiest samples by a score.
type Rank struct {
	data.Amount
	End    string `flag:"end" choice:"hard,easy,auto" doc:"which samples stay: hard, easy, or auto: what a pilot learns more from, or without one easy where fewer than 100 a class stay, or less than 15 %, else hard"`
	Within string `flag:"within" choice:"all,class,cluster" doc:"samples are ranked among all, or the same share stays of each class, or of each cluster of the score"`
	ByClass
}

//go:embed rank.md
var rankDoc string

// NewRank is the method at half of the samples, the hardest.
func NewRank() *Rank { return &Rank{Amount: data.Amount{Keep: .5}, End: "hard", Within: "all"} }

// Card describes the method.
func (*Rank) Card() *catalog.Card {
	return &catalog.Card{Name: "rank", Title: "The hardest, or the easiest, samples by a score", Noun: "data", Doc: rankDoc, Cuts: "samples", Needs: catalog.Samples,
		Paper: "Sorscher, Geirhos, Shekhar, Ganguli, Morcos: Beyond neural scaling laws (NeurIPS 2022), arXiv 2206.14486"}
}

// RankFacts say which end stays.
type RankFacts struct {
	End   string  `json:"end"`
	Pilot []Tried `json:"pilot,omitempty"` // of each end, where one was trained
}

const (
	fewOfClass = 100 // samples a class below which easy ones stay
	fewOfAll   = .15 // and the share of all
)

// Run chooses.
func (s *Rank) Run(ctx context.Context, j *data.Job) (*data.Result, error) {
	m, err := s.Count(j.Set.Len())
	if err != nil {
		return nil, err
	}
	hard, err := j.NeedsScore()
	if err != nil {
		return nil, err
	}
	group, err := s.groups(j, m)
	if err != nil {
		return nil, err
	}
	end := s.End
	switch {
	case end == "auto" && j.Pilot != nil:
		return s.try(ctx, j, hard, group, m)
	case end == "auto":
		end = rule(data.Classes(j.Set), m)
	}
	res, err := s.at(j, end, hard, group, m)
	if err != nil {
		return nil, err
	}
	res.Facts = &RankFacts{End: end}
	if s.End == "auto" {
		res.Note("the %s samples stay, by a rule of thumb: a {Pilot} trains with each end", end)
	}
	return res, nil
}

// at keeps one end.
func (s *Rank) at(j *data.Job, end string, hard []float64, group []int32, m int) (*data.Result, error) {
	by := slices.Clone(hard)
	if end == "easy" {
		for i := range by {
			by[i] = -by[i]
		}
	}
	order := data.Order(by)
	if group != nil {
		order = within(order, group)
	}
	return s.keep(j, order, m)
}

// groups are those within which samples are ranked; nil: all together.
func (s *Rank) groups(j *data.Job, m int) ([]int32, error) {
	switch s.Within {
	case "class":
		class, err := j.NeedsClasses("samples are ranked within classes")
		if err == nil {
			err = enough(class, m, "Within")
		}
		return class, err
	case "cluster":
		of, err := j.Score.Clusters(j.Set)
		if err == nil && of == nil {
			err = catalog.Errorf("{Within} cluster: score %s has no clusters; that of prototypes has", j.Score.Name)
		}
		return of, err
	}
	return nil, nil
}

// rule is the end that stays by a rule of thumb.
func rule(class []int32, m int) string {
	seen := map[int32]bool{}
	for _, c := range class {
		seen[c] = true
	}
	if len(seen) > 0 && m < fewOfClass*len(seen) || float64(m) < fewOfAll*float64(len(class)) {
		return "easy"
	}
	return "hard"
}

// try keeps the end that a pilot learns more from.
func (s *Rank) try(ctx context.Context, j *data.Job, hard []float64, group []int32, m int) (*data.Result, error) {
	var best *data.Result
	var p pilot
	for _, end := range []string{"hard", "easy"} {
		res, err := s.at(j, end, hard, group, m)
		if err != nil {
			return nil, err
		}
		better, err := p.try(ctx, j, end, res.Subset)
		if err != nil {
			return nil, err
		}
		if better {
			best, res.Facts = res, &RankFacts{End: end}
		}
	}
	best.Facts.(*RankFacts).Pilot = p.tried
	best.Note("the %s samples stay: %s", best.Facts.(*RankFacts).End, p.said())
	return best, nil
}
