package structured

import (
	_ "embed"

	"context"
	"math"

	"pare/catalog"
	"pare/model"
	"pare/prune/structure"
)

// PAGCP cuts channels group by group, as far as the loss of every task allows.
type PAGCP struct {
	model.ChannelTarget
	Rounds    int     `flag:"rounds" range:"[1,)" doc:"cuts, each followed by the recipe's training"`
	Tolerance float64 `flag:"tolerance" range:"[0,)" doc:"by which share of itself the loss of any task may rise when a group is cut"`
	Growth    float64 `flag:"growth" range:"(0,)" doc:"the tolerance is multiplied by this after each group that is cut; above 1 groups that save little come first, else those that save much"`
	Relax     float64 `flag:"relax" range:"[1,)" doc:"the tolerance is multiplied by this where all groups have been tried and the targets are not met (1: it is not, and they may be missed)"`
	Most      float64 `flag:"most" range:"(0,1)" doc:"share of a group's channels that one round cuts at most"`
	Step      float64 `flag:"step" range:"(0,1)" doc:"shares of a group that are tried are multiples of this"`
	Top       float64 `flag:"top" range:"(0,1]" doc:"share of the groups that are cut in the end: those whose cut cost least for what it saved"`
	From      string  `flag:"from" choice:"last,start" doc:"what losses are compared with: last (the highest after an accepted cut of the round, or its start), or start"`
	Samples   int     `flag:"samples" range:"[1,)" doc:"samples that losses are measured on, of the validation set where there is one, else of the training set"`
	model.Layers

	Judges func(output string) bool // whether an output's task judges the cuts, to compare with; nil: each does
}

//go:embed pagcp.md
var pagcpDoc string

var pagcpCard = &catalog.Card{
	ID: "19", Name: "pagcp", Noun: "model", Title: "Performance-aware global channel pruning for several tasks (PAGCP)",
	Paper: "Ye, Zhang, Chen, Fan, Wang: Performance-aware Approximation of Global Channel Pruning for Multitask CNNs (TPAMI 2023). arXiv 2303.11923",
	Cuts:  "channels", Needs: catalog.Trains, Doc: pagcpDoc,
	Axes: catalog.Axes{SpeedUp: "universal", When: "after", How: "norm sensitivity iterative retrain", Supervision: "labels", Fusion: "none"},
}

// NewPAGCP gives the method with its defaults.
func NewPAGCP() *PAGCP {
	return &PAGCP{ChannelTarget: model.ChannelTarget{MACs: .5, Round: 1, Least: .1}, Rounds: 3, Tolerance: .05, Growth: 1, Relax: 1.5, Most: .7, Step: .05, Top: 1, From: "last", Samples: 512}
}

// Card describes the method.
func (*PAGCP) Card() *catalog.Card { return pagcpCard }

// PAGCPFacts are the tasks, and what was tried and accepted.
type PAGCPFacts struct {
	Tasks  []string     `json:"tasks"`
	Rounds []PAGCPRound `json:"rounds"`
	MACs   float64      `json:"macs"`   // share that is left
	Params float64      `json:"params"` // likewise
}

// PAGCPRound is one cut.
type PAGCPRound struct {
	Order []string    `json:"order"` // of the groups, as they are tried
	Steps []PAGCPStep `json:"steps"`
	Kept  []string    `json:"kept,omitempty"` // groups whose cut was taken back, for it cost most for what it saved
}

// PAGCPStep is a cut that was tried.
type PAGCPStep struct {
	Group     string    `json:"group"`
	Channels  int       `json:"channels"` // that would be left
	Of        int       `json:"of"`
	Tolerance float64   `json:"tolerance"`
	Reference []float64 `json:"reference"` // by task: the loss that it is compared with
	Loss      []float64 `json:"loss"`
	Accepted  bool      `json:"accepted"`
}

// Run cuts in rounds, and trains after each.
func (s *PAGCP) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	if j.Data == nil || j.Data.Train == nil {
		return nil, catalog.Errorf("every task is judged by its loss on labelled samples: give {Data}")
	}
	if err := j.NeedsLabels("every task is judged by its loss on labelled samples"); err != nil {
		return nil, err
	}
	if s.Rounds > 1 && j.Recipe.Epochs == 0 {
		return nil, catalog.Errorf("rounds of pruning have fine-tuning between them: give {Data} and {Recipe.Epochs}, or {Rounds} 1")
	}
	if s.Even {
		return nil, catalog.Errorf("{Even} does not go with this method: what the tasks lose says how much of each group is cut")
	}
	if s.Asked() {
		if err := s.Check(); err != nil {
			return nil, err
		}
	}
	if err := s.CountsAlone("what the tasks may lose"); err != nil {
		return nil, err
	}
	if err := s.Scope().Check(j.Graph); err != nil {
		return nil, err
	}
	tasks, err := s.tasks(j)
	if err != nil {
		return nil, err
	}
	f := &PAGCPFacts{}
	for _, t := range tasks {
		f.Tasks = append(f.Tasks, t.name)
	}
	whole := structure.CostOf(j.Graph)
	macs, params := s.Shares(j.Graph)
	res := &model.Result{Graph: j.Graph, Facts: f}
	runs, first := j.NewSeries(s.Rounds), map[string]int{}
	for i := range s.Rounds {
		share := float64(i+1) / float64(s.Rounds)
		r := &round{PAGCP: s, ctx: ctx, job: j.On(res.Graph), tasks: tasks, first: first,
			macs: goal(macs, share, whole.MACs), params: goal(params, share, whole.Params)}
		cut, kept, err := r.cut()
		if err != nil {
			return nil, err
		}
		f.Rounds = append(f.Rounds, r.told)
		res.Graph, res.Kept = cut, res.Kept.Then(kept)
		j.Logf("round %d of %d: %.3g of the multiply-accumulates stay", i+1, s.Rounds, float64(structure.CostOf(cut).MACs)/float64(max(1, whole.MACs)))
		if _, err := j.Repair(ctx, res); err != nil {
			return nil, err
		}
		if err := j.LogUntuned(ctx, cut); err != nil {
			return nil, err
		}
		epochs, err := runs.Fit(ctx, j, cut)
		if err != nil {
			return nil, err
		}
		res.Add(epochs)
	}
	is := structure.CostOf(res.Graph)
	f.MACs, f.Params = float64(is.MACs)/float64(max(1, whole.MACs)), float64(is.Params)/float64(max(1, whole.Params))
	s.say(res, f, macs, params)
	return res, nil
}

// goal is how many of the whole's stay after a share of the rounds, each of which keeps the
// same share of what there is; 0: not asked.
func goal(target, rounds float64, whole int64) int64 {
	if target == 0 {
		return 0
	}
	return int64(math.Pow(target, rounds)*float64(whole) + 1e-6)
}

// say notes what came of the tasks' tolerance, where these shares were asked for.
func (s *PAGCP) say(res *model.Result, f *PAGCPFacts, macs, params float64) {
	most, tried, accepted := 0., 0, 0
	for _, r := range f.Rounds {
		for _, x := range r.Steps {
			if tried++; x.Accepted {
				accepted++
				most = math.Max(most, x.Tolerance)
			}
		}
	}
	res.Note("%d tasks: of %d cuts that were tried %d raised no task's loss by more than the tolerance, which was %.3g at most; %.1f %% of the multiply-accumulates and %.1f %% of the parameters are left", len(f.Tasks), tried, accepted, most, 100*f.MACs, 100*f.Params)
	if macs > 0 && f.MACs > macs || params > 0 && f.Params > params {
		res.Note("the targets are missed, for no further cut is within the tolerance, {Least} and {Most}: raise {Tolerance} or {Relax}, or lower {Least}")
	}
}
