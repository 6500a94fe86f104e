package federated

import (
	_ "embed"
	"math"
	"strings"

	"pare/catalog"
	"pare/model"
	"pare/prune"
	"pare/prune/allocate"
	"pare/train"
)

// FedTiny prunes a network while clients train it together: their statistics choose a
// mask, their gradients adjust it.
type FedTiny struct {
	Sparsity  float64       `flag:"sparsity" range:"[0,1)" doc:"share of all parameters that are cut; biases and normalisations, which stay, count among those that are kept"`
	Clients   int           `flag:"clients" range:"[1,)" doc:"clients among which the training set is divided"`
	PerRound  int           `flag:"per-round" range:"[0,)" doc:"clients that train in a round, drawn by seed (0: all)"`
	Rounds    int           `flag:"rounds" range:"[1,)" doc:"rounds of training; in each a client makes as many passes over its shard as the recipe has epochs"`
	Dirichlet float64       `flag:"dirichlet" range:"[0,)" doc:"how alike the clients' shards are: the concentration of the Dirichlet distribution that divides each class among them; smaller is less alike (0: shards drawn at random, IID)"`
	Mask      string        `flag:"mask" choice:"adaptive,magnitude,random,local" doc:"the mask to begin with: adaptive, of a pool the one of the lowest loss at the clients; magnitude; random; or local, by magnitude after the client with the most samples has trained the whole network for the proxy's epochs"`
	Allocate  allocate.Name `flag:"allocate" choice:"erk,uniform" doc:"how much of each layer: erk or uniform"`
	Pool      int           `flag:"pool" range:"[1,)" auto:"-1" doc:"candidates for the mask (auto: 0.1 divided by the density, so that sending all takes a tenth of sending the whole network)"`
	Noise     float64       `flag:"noise" range:"[0,1)" doc:"how far the shares of the candidates' layers are from the allocation's: by a random factor of up to 1 plus or minus this"`
	Develop   int           `flag:"develop" range:"[2,)" doc:"samples of its shard on which a client tries candidates, at most"`
	Proxy     float64       `flag:"proxy" range:"[0,1)" doc:"share of the training set that is the server's, on which it trains the whole network before it chooses a mask (0: the weights are taken as they are)"`
	Pre       int           `flag:"proxy-epochs" range:"[1,)" doc:"epochs of that training"`
	Tune      int           `flag:"candidate-epochs" range:"[0,)" doc:"epochs for which the server trains each candidate on its samples"`
	Rate      float64       `flag:"rate" range:"[0,1)" doc:"share of a layer's weights that is exchanged at first; it falls along a cosine to 0 (0: the mask stays)"`
	Every     int           `flag:"every" range:"[1,)" doc:"rounds between adjustments of the mask"`
	Until     train.At      `flag:"until" kind:"time" doc:"end of the adjustments: a share of the rounds such as 50%, or a round such as 100ep"`
	Blocks    int           `flag:"blocks" range:"[1,)" doc:"blocks of consecutive layers, of which one is adjusted at a time, from the output backwards (1: all layers at once)"`
	Batches   int           `flag:"grow-batches" range:"[1,)" doc:"batches whose gradients say what grows, at each client"`
	Clip      float64       `flag:"clip-update" range:"[0,)" doc:"largest norm of what a client changes in a round (0: no limit)"`
	Aggregate Aggregate     `flag:"aggregate" doc:"how clients' numbers become one: mean, weighted by samples, or trimmed:SHARE, without that share of the smallest and of the largest"`
	DropOuts  float64       `flag:"drop-outs" range:"[0,1)" doc:"share of the clients' answers of a round that are lost, to try what that does"`
	model.Layers
}

//go:embed fedtiny.md
var fedtinyDoc string

var fedtinyCard = &catalog.Card{
	ID: "23", Name: "fedtiny", Noun: "model", Title: "FedTiny: pruning in federated learning",
	Paper: "Huang, Zhang, Sun, Fang, Yuan, Wu: Distributed Pruning Towards Tiny Neural Networks in Federated Learning (ICDCS 2023). arXiv 2212.01977",
	Cuts:  "weights", Needs: catalog.Trains, Doc: fedtinyDoc,
	Axes: catalog.Axes{SpeedUp: "specific", When: "during", How: "magnitude gradient iterative regrow retrain", Supervision: "labels", Fusion: "none"},
}

// NewFedTiny gives the method with its defaults.
func NewFedTiny() *FedTiny {
	return &FedTiny{Sparsity: .95, Clients: 10, Rounds: 300, Dirichlet: .5, Mask: "adaptive", Allocate: "erk", Pool: autoPool, Noise: .5, Develop: 128, Pre: 5,
		Rate: .3, Every: 10, Until: train.Share(1. / 3), Blocks: 5, Batches: 1, Aggregate: "mean"}
}

// Card describes the method.
func (*FedTiny) Card() *catalog.Card { return fedtinyCard }

// Drives says that the trainings are the method's own.
func (*FedTiny) Drives() bool { return true }

// StartsSparse says whether weights are masked before any training.
func (s *FedTiny) StartsSparse() bool { return false }

// autoPool is the Pool that is chosen by the density.
const autoPool = -1

// pool is the number of candidates.
func (s *FedTiny) pool() int {
	switch {
	case s.Mask != "adaptive":
		return 1
	case s.Pool > 0:
		return s.Pool
	}
	return max(1, int(math.Round(.1/(1-s.Sparsity))))
}

// check says what is wrong with settings and job before any work.
func (s *FedTiny) check(j *model.Job) error {
	if err := j.NeedsTraining("clients train the network"); err != nil {
		return err
	}
	if err := j.NeedsLabels("clients train by their labels"); err != nil {
		return err
	}
	switch {
	case strings.Contains(j.Recipe.Recover, "distil"):
		return catalog.Errorf("{Recipe.Recover} %s: clients never hold the whole network, so there is none to distil from: use train", j.Recipe.Recover)
	case j.Recipe.Keep == "best":
		return catalog.Errorf("{Recipe.Keep} best: the network of the last round is kept, as clients have no samples in common to choose by")
	case s.PerRound > s.Clients:
		return catalog.Errorf("{PerRound} %d: there are {Clients} %d", s.PerRound, s.Clients)
	case s.Tune > 0 && s.Proxy == 0:
		return catalog.Errorf("{Tune} %d: the server has no samples to train candidates on: give {Proxy}", s.Tune)
	}
	if _, err := s.Aggregate.trim(); err != nil {
		return catalog.Errorf("{Aggregate}: %v", err)
	}
	return nil
}

// until is the round at which adjustments end.
func (s *FedTiny) until() (int, error) {
	n, err := s.Until.Step(s.Rounds, s.Rounds)
	if err != nil {
		return 0, catalog.Errorf("{Until} %v", err)
	}
	if n > s.Rounds {
		return 0, catalog.Errorf("{Until}: adjustments cannot end at round %d, as there are {Rounds} %d", n, s.Rounds)
	}
	return n, nil
}

// kept is how many of the sparse weights stay: of all parameters the share that is not
// cut, less those that no mask cuts.
func (s *FedTiny) kept(n *network) (int, error) {
	all, dense := n.Params(), count(n.Dense)
	kept := int(math.Floor((1-s.Sparsity)*float64(all)+1e-6)) - dense
	if least := dense + len(n.ws); kept < len(n.ws) {
		return 0, catalog.Errorf("{Sparsity} %v: of %d parameters %d would stay, and %d of biases, normalisations and others that are not cut, with one weight in each layer, are needed: %.4f is the largest that is possible",
			s.Sparsity, all, max(0, kept+dense), least, math.Floor(1e4*(1-float64(least)/float64(all)))/1e4)
	}
	return min(kept, prune.Total(n.ws)), nil
}
