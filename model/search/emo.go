package search

import (
	_ "embed"

	"context"
	"fmt"

	"pare/catalog"
	"pare/model"
	"pare/prune/structure"
)

// EMO divides a network into sub-networks, searches the widths of each by evolution, and
// joins what was found to a front of whole networks.
type EMO struct {
	model.ChannelTarget
	Subnetworks int     `flag:"subnetworks" range:"[0,)" doc:"sub-networks that the network is divided into (0: one a stage, where the resolution falls, at most 4; 1: it is searched as a whole)"`
	Population  int     `flag:"population" range:"[4,)" doc:"solutions of a generation"`
	Generations int     `flag:"generations" range:"[0,)" doc:"generations after the first, for each sub-network and for the join"`
	Crossover   float64 `flag:"crossover" range:"[0,1]" doc:"chance that two parents are crossed"`
	Mutation    float64 `flag:"mutation" range:"[0,1]" doc:"chance that a width is drawn anew (0: 1 over their number)"`
	Constrain   int     `flag:"constrain" range:"[0,)" doc:"epochs that each sub-network is trained at widths by chance, on what its predecessors make, before the search (0, or where the recipe trains nothing: it is searched as it is)"`
	Mix         float64 `flag:"mix" range:"[0,1]" doc:"share of these steps in which the predecessors are pruned too, in place of the network's own features"`
	Rank        string  `flag:"rank" choice:"taylor,scales,norm" doc:"which channels of a layer stay: taylor (what the loss does without them, by gradients), scales (of batch normalisation, else norm) or norm (of the weights that go with a channel)"`
	Judge       string  `flag:"judge" choice:"features,loss" doc:"what solutions of a sub-network are judged by: features (how far what it makes is from what the network before makes there, which takes the sub-network alone) or loss (what the rest of the network, whole, makes of it)"`
	Join        string  `flag:"join" choice:"evolution,ranking" doc:"how sub-networks are joined: ranking (by the loss that each brings the whole network for what it saves, the least first) or evolution (over combinations of their solutions, which begins with those of ranking)"`
	Samples     int     `flag:"samples" range:"[10,)" doc:"samples that solutions are judged on: of the validation set, or held out of the training set"`
	model.Layers

	Whole   bool // sub-networks are trained, and their widths searched together, to compare with
	Shuffle bool // ranking replaces sub-networks in an order by chance, to compare with
}

//go:embed emo.md
var emoDoc string

var emoCard = &catalog.Card{
	ID: "07", Name: "emo", Noun: "model", Title: "Evolutionary multi-objective joint pruning of sub-networks (EMO-PMS)",
	Paper: "Shang, Zhu, Wu, Zhang, Jiao, Xu: An EMO Joint Pruning with Multiple Sub-networks: Fast and Effect (2023). arXiv 2303.16212; NSGA-II: Deb, Pratap, Agarwal, Meyarivan 2002",
	Cuts:  "channels", Needs: catalog.Samples, Doc: emoDoc,
	Axes: catalog.Axes{SpeedUp: "universal", When: "after", How: "evolution sensitivity gradient bn-scale norm one-shot retrain", Supervision: "unlabelled labels", Fusion: "search distillation"},
}

// NewEMO gives the method with its defaults.
func NewEMO() *EMO {
	return &EMO{ChannelTarget: model.ChannelTarget{MACs: .5, Least: .1}, Population: 24, Generations: 20, Crossover: .9, Constrain: 2, Mix: .5, Rank: "taylor", Judge: "features", Join: "evolution", Samples: 1000}
}

// Card describes the method.
func (*EMO) Card() *catalog.Card { return emoCard }

// Fronts says that a run gives a front of networks.
func (*EMO) Fronts() {}

// EMOFacts are the sub-networks with their fronts, and the front of whole networks.
type EMOFacts struct {
	Subnetworks []EMOSubnetwork     `json:"subnetworks"`
	Front       []model.FrontMember `json:"front"` // of whole networks, the largest first
	Chosen      int                 `json:"chosen"`
	Evaluated   int                 `json:"evaluated"` // whole networks
	Work        float64             `json:"work"`      // multiply-accumulates of all evaluations, those of sub-networks too
}

// EMOSubnetwork is a part of the network, and what was found for it.
type EMOSubnetwork struct {
	First     string     `json:"first"` // its first and last layer
	Last      string     `json:"last"`
	Groups    []string   `json:"groups"` // whose widths are its genes
	Evaluated int        `json:"evaluated"`
	Front     []EMOPoint `json:"front"` // the largest first
}

// EMOPoint is a solution of a sub-network.
type EMOPoint struct {
	Widths     []int   `json:"widths"`     // of the groups
	Error      float64 `json:"error"`      // of its features, as a share of what they are, or the loss: of the whole network where there is one sub-network
	Cost       float64 `json:"cost"`       // of the network in which it alone is cut, as a share of the target
	Impairment float64 `json:"impairment"` // by which it raises the loss of that network
}

// Run searches, chooses the best network within the targets, and fine-tunes it.
func (s *EMO) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	e, err := s.begin(ctx, j)
	if err != nil {
		return nil, err
	}
	runs := e.job.NewSeries(1)
	phases := e.phases()
	for _, p := range phases {
		runs.N++
		runs.Steps += p.job.Steps()
	}
	res := &model.Result{}
	for _, p := range phases {
		epochs, err := e.constrain(runs, p)
		if err != nil {
			return nil, err
		}
		res.Add(epochs)
	}
	if s.Whole {
		e.undivide()
	}
	f := &EMOFacts{}
	if err := e.search(f); err != nil {
		return nil, err
	}
	found, err := e.join(f)
	if err != nil {
		return nil, err
	}
	return res, e.finish(res, runs, f, found)
}

// finish fine-tunes the chosen network.
func (e *emo) finish(res *model.Result, runs *model.Series, f *EMOFacts, found *joined) error {
	j := e.job
	res.Facts, res.Front = f, found.front(e, f)
	sel := e.selection(found.chosen.widths)
	g, err := e.build(found.chosen.widths)
	if err != nil {
		return err
	}
	res.Graph, res.Kept = g, structure.KeptBy(e.groups, sel)
	e.say(res, f, found)
	if _, err := j.Repair(e.ctx, res); err != nil {
		return err
	}
	if err := j.LogUntuned(e.ctx, res.Graph); err != nil {
		return err
	}
	epochs, err := runs.Fit(e.ctx, j, res.Graph)
	res.Add(epochs)
	return err
}

// say notes what was searched and found.
func (e *emo) say(res *model.Result, f *EMOFacts, found *joined) {
	of := 0
	for _, p := range f.Subnetworks {
		of += p.Evaluated
	}
	if len(e.parts) == 1 {
		res.Note("the network was searched as a whole: %d networks were tried", f.Evaluated)
	} else {
		res.Note("%d sub-networks: %d of their solutions were tried, and %d whole networks, which took %.3g times the multiply-accumulates of one pass of the network over the %d samples that judge",
			len(e.parts), of, f.Evaluated, f.Work/float64(max(1, e.whole.MACs))/float64(e.judged.Len()), e.judged.Len())
	}
	c := f.Front[f.Chosen]
	res.Note("the front has %d networks; the one within the targets that is best has %.1f %% of the multiply-accumulates and %.1f %% of the parameters, %s %.4g before fine-tuning, where all channels have %.4g", len(f.Front), 100*c.MACs, 100*c.Params, e.lossName(), c.Loss, found.dense)
	for _, n := range e.notes {
		res.Note("%s", n)
	}
}

// lossName is what whole networks are judged by.
func (e *emo) lossName() string {
	if e.labelled {
		return "loss"
	}
	return "relative error of the outputs"
}

// note says something once.
func (e *emo) note(format string, a ...any) { e.notes = append(e.notes, fmt.Sprintf(format, a...)) }
