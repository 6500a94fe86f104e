// Package pare cuts away what a network does not need, and measures that what is
// left is smaller, faster and as good. It is the front door of the library: a few
// calls over the packages below, which may be used by themselves.
//
//	net, err := pare.Open("net.onnx")
//	small, err := net.Prune(ctx, &oneshot.GlobalMP{Sparsity: .9}, pare.Options{Data: data, Recipe: model.Defaults()})
//	err = small.Network.Save("small.pare")
//	session, err := small.Network.Session(32)
//
// Methods are values of the packages pare/model/…, with typed settings; Methods
// lists them. Data is opened by dataset.Open. Networks are ONNX graphs (package
// graph), whatever framework they came from.
package pare

import (
	"context"
	"fmt"
	"io"
	"time"

	"pare/catalog"
	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/measure"
	"pare/model"
	"pare/model/all"
	"pare/onnx"
	"pare/prune/structure"
	"pare/run"
	"pare/train"
)

// Network is a network that is ready to be pruned, trained, measured and run. Its
// methods leave it as it is: what they change is a copy.
type Network struct {
	Graph *graph.Graph
	Notes []string // what had to be assumed when it was opened
}

// Open reads an ONNX file or a .pare file (Pare's sparse form), and prepares the
// network: its shapes are inferred, constants folded, and weights of another
// floating-point type taken as float32, which Notes says. It returns an error where
// the file is not sound or holds what Pare does not know; the file is not trusted.
func Open(path string) (*Network, error) { return OpenContext(context.Background(), path) }

// OpenContext is Open that the end of the context ends.
func OpenContext(ctx context.Context, path string) (*Network, error) {
	g, err := onnx.LoadContext(ctx, path)
	if err != nil {
		return nil, err
	}
	n, err := New(g)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return n, nil
}

// Map is Open for a network that is run, not changed: large weights stay in the file and
// are mapped, not copied, where they can be used as they lie (see onnx.Map, which says
// what that asks of the file). Close ends the map; the network and its sessions must not be
// used afterwards.
func Map(ctx context.Context, path string) (*Network, io.Closer, error) {
	g, m, err := onnx.Map(ctx, path)
	if err != nil {
		return nil, nil, err
	}
	n, err := New(g)
	if err != nil {
		m.Close()
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return n, m, nil
}

// New prepares a network that was made in the program, such as one of the zoo. It
// keeps the graph.
func New(g *graph.Graph) (*Network, error) {
	notes, err := model.Prepare(g)
	if err != nil {
		return nil, err
	}
	return &Network{Graph: g, Notes: notes}, nil
}

// Save writes the network: as ONNX, or in the sparse form where the path ends in
// .pare. The file is written beside, synced and renamed.
func (n *Network) Save(path string) error { return onnx.Save(path, n.Graph, onnx.Options{}) }

// Clone copies the network, its weights too.
func (n *Network) Clone() *Network {
	g, _ := n.Graph.Clone(true)
	return &Network{Graph: g, Notes: n.Notes}
}

// Summary is what is in a network.
type Summary struct {
	Size   measure.Size          `json:"size"`
	Layers []measure.Layer       `json:"layers"`
	Groups []*structure.Group    `json:"-"`               // channels that can be cut, those that go together as one
	Kept   []structure.Protected `json:"-"`               // axes of weights that cannot, and why
	Notes  []catalog.Text        `json:"notes,omitempty"` // what was assumed
}

// Inspect says what is in the network, and which channels can be cut.
func (n *Network) Inspect() (*Summary, error) {
	s := &Summary{}
	g := n.seen()
	var err error
	if s.Notes, err = measure.Settle(g); err != nil {
		return nil, err
	}
	if s.Size, s.Layers, err = measure.Of(g); err != nil {
		return nil, err
	}
	s.Groups, s.Kept = structure.Groups(n.Graph)
	return s, nil
}

// Options say with what a network is pruned or trained. The zero value prunes
// without data, with all cores.
type Options struct {
	Data    *dataset.Data // nil: nothing is trained
	Recipe  model.Recipe  // of training; one without epochs trains nothing
	Teacher *Network      // nil: none; else its softened outputs are matched too
	Alpha   float64       // share of that term in the loss; 0: 0.5
	Seed    uint64        // of all that is random; 0: 1
	Threads int           // 0: one for each core

	Checkpoint string // file for the state of a run under way; "" saves none
	Resume     bool   // go on from the checkpoint, where there is one
	Force      bool   // begin anew where there is one; with neither, that is an error
	Log        func(format string, a ...any)
	OnStep     func(step, total int, loss float64)
	OnEpoch    func(train.Epoch)
}

// Pruned is what a method made of a network.
type Pruned struct {
	Network *Network
	*model.Result
}

// Prune gives a pruned copy of the network. It returns an error that names the field
// where a setting is out of its choices or range, where the method needs data or
// training that Options has not, or where nothing can be cut; a run.BusyError where
// another run has the checkpoint; an error that wraps train.ErrInterrupted where ctx
// ended and the checkpoint is saved.
func (n *Network) Prune(ctx context.Context, m model.Method, o Options) (*Pruned, error) {
	j, notes, err := n.job(o)
	if err != nil {
		return nil, err
	}
	own, err := run.Own(o.Checkpoint, o.Resume, o.Force)
	if err != nil {
		return nil, err
	}
	defer own.Release()
	res, err := model.Run(ctx, m, j)
	if err != nil {
		return nil, err
	}
	own.Done()
	res.Notes = append(notes, res.Notes...)
	return &Pruned{&Network{Graph: res.Graph}, res}, nil
}

// Train gives a copy of the network that was trained by the recipe, and what its
// epochs came to.
func (n *Network) Train(ctx context.Context, o Options) (*Network, []train.Epoch, error) {
	j, notes, err := n.job(o)
	if err != nil {
		return nil, nil, err
	}
	if err := j.NeedsTraining("a network is trained on data"); err != nil {
		return nil, nil, err
	}
	own, err := run.Own(o.Checkpoint, o.Resume, o.Force)
	if err != nil {
		return nil, nil, err
	}
	defer own.Release()
	res, err := j.Train(ctx)
	if err != nil {
		return nil, nil, err
	}
	own.Done()
	out := &Network{Graph: res.Graph}
	for _, t := range append(notes, res.Notes...) {
		out.Notes = append(out.Notes, t.String())
	}
	return out, res.Epochs, nil
}

// job is the work on a copy of the network, and what was assumed of it.
func (n *Network) job(o Options) (*model.Job, []catalog.Text, error) {
	if o.Seed == 0 {
		o.Seed = 1
	}
	j := &model.Job{Graph: n.Clone().Graph, Data: o.Data, Recipe: o.Recipe, Seed: o.Seed, Engine: engine.Options{Threads: o.Threads},
		Save: o.Checkpoint, Resume: o.Resume, Log: o.Log, OnStep: o.OnStep, Epoch: o.OnEpoch}
	var notes []catalog.Text
	if o.Data != nil {
		var err error
		if notes, err = model.Fits(j.Graph, o.Data, j.Judge()); err != nil {
			return nil, nil, err
		}
	}
	if o.Teacher != nil {
		if o.Data == nil {
			return nil, nil, catalog.Errorf("{Teacher} teaches on samples: give {Data}")
		}
		t := o.Teacher.seen()
		said, err := model.Fits(t, o.Data, j.Judge())
		if err != nil {
			return nil, nil, fmt.Errorf("the teacher: %w", err)
		}
		for _, s := range said {
			notes = append(notes, "the teacher: "+s)
		}
		if o.Alpha == 0 {
			o.Alpha = .5
		}
		j.Loss.Teacher, j.Loss.Alpha, j.Loss.T = t, o.Alpha, 4
	}
	return j, notes, j.Check()
}

// seen is a copy that shares the weights, whose usage may be decided.
func (n *Network) seen() *graph.Graph {
	g, _ := n.Graph.Clone(false)
	return g
}

// Evaluate measures accuracy and loss on the data's test set, or, where there is
// none, on its validation or training set.
func (n *Network) Evaluate(ctx context.Context, d *dataset.Data) (train.Metrics, error) {
	g := n.seen()
	if _, err := model.Fits(g, d, train.Judge{}); err != nil {
		return train.Metrics{}, err
	}
	return train.NewEval(d.Eval(), d.Norm, 128, engine.Options{}).Run(ctx, g)
}

// Bench times networks side by side, each in turn in every round: seconds of one
// inference of a batch, and the ratio to the first with its spread.
func Bench(ctx context.Context, batch int, networks ...*Network) ([]measure.Speed, error) {
	gs := make([]*graph.Graph, len(networks))
	for i, n := range networks {
		gs[i] = n.Graph
	}
	return measure.Latency(ctx, gs, batch, 11, 40*time.Millisecond, engine.Options{})
}

// Session runs a network for many goroutines at once, see engine.Session.
type Session = engine.Session

// Session prepares the network for inference on batches of 1 to maxBatch samples
// (0: 256), for any number of goroutines at once. It keeps what makes zeros pay.
// The weights must not change while it is in use. Networks with other symbolic sizes
// than the batch's need engine.NewSession, which takes their bounds.
func (n *Network) Session(maxBatch int) (*Session, error) {
	return engine.NewSession(n.Graph, engine.SessionOptions{MaxBatch: maxBatch})
}

// Methods lists the methods that prune networks, each with its defaults: published
// ones in the order of their numbers, then baselines.
func Methods() []model.Method { return all.List() }

// Method gives a method by name or number, with settings as "gmp:every=50:end=80%".
func Method(text string) (model.Method, error) {
	m, _, err := all.Parse(text)
	return m, err
}

// Settings lists what can be set of a method: names, defaults, choices and ranges.
func Settings(m model.Method) []*catalog.Setting { return catalog.Settings(m) }
