package coreset

import (
	"context"
	_ "embed"

	"pare/catalog"
	"pare/data"
)

// Rank keeps the hardest or the easiest samples by a score.
type Rank struct {
	data.Amount
	End    string `flag:"end" choice:"hard,easy,auto" doc:"which samples stay: hard, easy, or auto: easy where fewer than 100 a class stay, or less than 15 %, else hard"`
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
	End string `json:"end"`
}

const (
	fewOfClass = 100 // samples a class below which easy ones stay
	fewOfAll   = .15 // and the share of all
)

// Run chooses.
func (s *Rank) Run(_ context.Context, j *data.Job) (*data.Result, error) {
	m, err := s.Count(j.Set.Len())
	if err != nil {
		return nil, err
	}
	hard, err := j.NeedsScore()
	if err != nil {
		return nil, err
	}
	class := data.Classes(j.Set)
	end := s.End
	var note string
	if end == "auto" {
		end = "hard"
		classes := 0
		seen := map[int32]bool{}
		for _, c := range class {
			seen[c] = true
		}
		if classes = len(seen); classes > 0 && m < fewOfClass*classes || float64(m) < fewOfAll*float64(j.Set.Len()) {
			end = "easy"
		}
		note = "the " + end + " samples stay, by a rule of thumb: train once with each ({End}) to be sure"
	}
	if end == "easy" {
		for i := range hard {
			hard[i] = -hard[i]
		}
	}
	order := data.Order(hard)
	switch s.Within {
	case "class":
		if class, err = j.NeedsClasses("samples are ranked within classes"); err != nil {
			return nil, err
		}
		if err := enough(class, m, "Within"); err != nil {
			return nil, err
		}
		order = within(order, class)
	case "cluster":
		of, err := j.Score.Clusters(j.Set)
		if err == nil && of == nil {
			err = catalog.Errorf("{Within} cluster: score %s has no clusters; that of prototypes has", j.Score.Name)
		}
		if err != nil {
			return nil, err
		}
		order = within(order, of)
	}
	res, err := s.keep(j, order, m)
	if err != nil {
		return nil, err
	}
	res.Facts = &RankFacts{end}
	if note != "" {
		res.Note("%s", note)
	}
	return res, nil
}
