package measure

import (
	"context"
	"fmt"
	"math"
	"strings"

	"pare/graph"
	"pare/prune/structure"
	"pare/report"
	"pare/train"
)

// Sensitivity says what each group of channels costs in the metric that decides when it
// alone is cut, with nothing trained or solved after it.
type Sensitivity struct {
	Set    string             `json:"set"`   // what it is measured on
	By     string             `json:"by"`    // how channels are rated: the worst of a group go
	Whole  train.Score        `json:"whole"` // of the network as it is
	Shares []float64          `json:"shares"`
	Groups []GroupSensitivity `json:"groups"`
}

// GroupSensitivity is that of one group.
type GroupSensitivity struct {
	Group    string     `json:"group"`
	Channels int        `json:"channels"`
	Cuts     []GroupCut `json:"cuts"` // one for each share
}

// GroupCut is one group cut by a share, all others whole.
type GroupCut struct {
	Share float64 `json:"share"` // that was asked for
	Stay  int     `json:"stay"`  // channels: all where the share is less than half of one
	Value float64 `json:"value"` // of the metric
	Worse float64 `json:"worse"` // than the whole network, in the metric's units; negative: better
	MACs  float64 `json:"macs"`  // share of the network's multiply-accumulates that goes
}

// Shares are those that a group is cut by where no others are asked for.
var Shares = []float64{.25, .5, .75}

// Sensitive measures every group of g alone: its worst channels go by rates (higher stays),
// a share of them, but never all. judge says how good a network is; told hears of each cut
// that is measured, and may be nil.
func Sensitive(ctx context.Context, g *graph.Graph, groups []*structure.Group, rates [][]float64, shares []float64,
	judge func(context.Context, *graph.Graph) (train.Score, error), told func(done, total int)) (*Sensitivity, error) {
	s := &Sensitivity{Shares: shares}
	var err error
	if s.Whole, err = judge(ctx, g); err != nil {
		return nil, err
	}
	whole := structure.CostOf(g)
	for i, grp := range groups {
		n := len(grp.Channels)
		x := GroupSensitivity{Group: grp.Name, Channels: n}
		for k, share := range shares {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			c := GroupCut{Share: share, Stay: max(1, n-int(math.Round(share*float64(n)))), Value: s.Whole.Value}
			if c.Stay < n {
				widths := make([]structure.Widths, len(groups))
				widths[i].Exactly = c.Stay
				sel, err := structure.Select(g, groups, rates, structure.Target{Widths: widths})
				if err != nil {
					return nil, err
				}
				cut, err := structure.Cut(g, groups, sel)
				if err != nil {
					return nil, err
				}
				score, err := judge(ctx, cut)
				if err != nil {
					return nil, fmt.Errorf("with %d of %d channels of %s: %w", c.Stay, n, grp.Name, err)
				}
				c.Value, c.Worse = score.Value, s.Whole.Worse(score.Value)
				c.MACs = 1 - float64(structure.CostOf(cut).MACs)/float64(max(1, whole.MACs))
			}
			x.Cuts = append(x.Cuts, c)
			if told != nil {
				told(i*len(shares)+k+1, len(groups)*len(shares))
			}
		}
		s.Groups = append(s.Groups, x)
	}
	return s, nil
}

// section is the sensitivity as a table: by how much the metric is worse.
func (s *Sensitivity) section(x *Inspection, few int) report.Section {
	t := &report.Table{Columns: []string{"group", "channels"}}
	for _, share := range s.Shares {
		t.Columns = append(t.Columns, fmt.Sprintf("%g %% cut", 100*share))
	}
	t.Columns = append(t.Columns, "MACs that go", "made by")
	for i := range s.Groups {
		g := &s.Groups[i]
		row := []report.Cell{report.Text(fmt.Sprint(i + 1)), report.Count(int64(g.Channels))}
		var macs []string
		for _, c := range g.Cuts {
			if c.Stay == g.Channels {
				row, macs = append(row, report.Missing()), append(macs, "–")
				continue
			}
			row = append(row, report.Cell{Text: s.worse(c), Value: c.Worse, IsNum: true})
			macs = append(macs, percent(c.MACs))
		}
		row = append(row, report.Text(strings.Join(macs, ", ")))
		made := g.Group
		if i < len(x.Groups) {
			made = names(x.Groups[i].Made, few)
		}
		t.Rows = append(t.Rows, append(row, report.Text(made)))
	}
	return report.Section{Heading: fmt.Sprintf("What each group costs when it alone is cut by %s and nothing is trained: %s is %s on the %s set, and so much worse then", s.By, s.Whole.Metric, s.Whole.Show(), s.Set),
		Table: t}
}

// worse writes what a cut costs.
func (s *Sensitivity) worse(c GroupCut) string {
	d := math.Abs(c.Value - s.Whole.Value)
	if c.Worse < 0 {
		return "−" + s.Whole.By(d)
	}
	return s.Whole.By(d)
}

// inWords says what a group costs, for the drawing.
func (s *Sensitivity) inWords(i int) string {
	if s == nil || i >= len(s.Groups) {
		return ""
	}
	var out []string
	for _, c := range s.Groups[i].Cuts {
		if c.Stay < s.Groups[i].Channels {
			out = append(out, fmt.Sprintf("%s at %g %%", s.worse(c), 100*c.Share))
		}
	}
	if out == nil {
		return ""
	}
	return "; cut alone it costs " + strings.Join(out, ", ")
}
