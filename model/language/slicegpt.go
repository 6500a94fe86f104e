package language

import (
	_ "embed"

	"context"
	"math"
	"sort"
	"strings"

	"pare/catalog"
	"pare/graph"
	"pare/model"
	"pare/prune/structure"
)

// SliceGPT turns the residual stream of a transformer to its principal axes, block by block,
// and deletes the axes that carry least.
type SliceGPT struct {
	Sparsity float64 `flag:"sparsity" target:"yes" range:"[0,1)" doc:"share of the stream's channels that goes (0: as the budgets want; without any, the stream is turned and nothing goes)"`
	model.Counts
	Basis   string `flag:"basis" choice:"pca,random,channels" doc:"the axes of which the last go: pca (principal axes, those that carry most first), random (to compare with), or channels (the stream is not turned, and its quietest channels go)"`
	Round   int    `flag:"round" range:"[1,)" doc:"channels of the stream are kept in multiples of this"`
	Samples int    `flag:"samples" range:"[1,)" doc:"samples of the training set that show the stream, without their labels"`
}

//go:embed slicegpt.md
var sliceDoc string

var sliceCard = &catalog.Card{
	Name: "slicegpt", Noun: "model", Title: "Principal axes of the stream, of which the last are deleted (SliceGPT)",
	Paper: "Ashkboos, Croci, do Nascimento, Hoefler, Hensman: SliceGPT: Compress Large Language Models by Deleting Rows and Columns (ICLR 2024). arXiv 2401.15024",
	Cuts:  "channels of the stream", Needs: catalog.Samples, Doc: sliceDoc,
	Axes: catalog.Axes{SpeedUp: "universal", When: "after", How: "activation one-shot retrain reconstruct", Supervision: "labels unlabelled", Fusion: "low-rank"},
}

// NewSliceGPT gives the method with its defaults.
func NewSliceGPT() *SliceGPT {
	return &SliceGPT{Sparsity: .25, Basis: "pca", Round: 8, Samples: 128}
}

// Card describes the method.
func (*SliceGPT) Card() *catalog.Card { return sliceCard }

// Unsaid says why the result cannot be written as a folder or a GGUF file.
func (*SliceGPT) Unsaid(*graph.Graph) error {
	return catalog.Errorf("method slicegpt puts matrices beside the blocks of a transformer, for which a config.json and a GGUF file have no place: give OUT.onnx or OUT.pare")
}

// SliceFacts are what became of the stream.
type SliceFacts struct {
	Before Size         `json:"before"`
	After  Size         `json:"after"`
	Width  int          `json:"width"` // of the stream, where it was cut
	Of     int          `json:"of"`    // its width before
	Points []SlicePoint `json:"points"`
}

// SlicePoint is a place where blocks read the stream.
type SlicePoint struct {
	Name string  `json:"name"` // of the value
	Kept float64 `json:"kept"` // share of its squared norm, over all samples, that the axes which stay carry
}

// Run turns, cuts, and trains what is left by the recipe.
func (s *SliceGPT) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	if strings.Contains(j.Recipe.Recover, "solve") {
		return nil, catalog.Errorf("{Recipe.Recover} %s matches what layers give with what they gave before, and the stream has other axes now: leave solve out", j.Recipe.Recover)
	}
	st, err := findStream(j.Graph)
	if err != nil {
		return nil, err
	}
	f := &SliceFacts{Before: sizeOf(structure.CostOf(j.Graph)), Of: st.width}
	if f.Width, err = s.fits(j.Graph, st); err != nil {
		return nil, err
	}
	bases, err := s.look(ctx, j, f)
	if err != nil {
		return nil, err
	}
	res := &model.Result{Facts: f}
	if res.Graph, err = st.sliced(j.Graph, f.Width, bases); err != nil {
		return nil, err
	}
	f.After = sizeOf(structure.CostOf(res.Graph))
	res.Note("the stream has %d of %d channels in front of %d of the blocks' sums; %d of %d parameters stay, those of the matrices beside the blocks among them", f.Width, f.Of, len(st.points), f.After.Params, f.Before.Params)
	if st.rest != "" {
		res.Note("behind %s the stream stays whole: %s", st.end.Name, st.rest)
	}
	return res, j.Tune(ctx, res)
}

// fits gives the width of the stream that is asked for: the largest within the sparsity and
// the budgets, by counting what networks of such widths would take.
func (s *SliceGPT) fits(g *graph.Graph, st *stream) (int, error) {
	most := st.width
	if s.Sparsity > 0 {
		most = int((1-s.Sparsity)*float64(st.width) + 1e-9)
		if most -= most % s.Round; most < 1 {
			return 0, catalog.Errorf("{Sparsity} %v leaves less than {Round} %d of the %d channels of the stream", s.Sparsity, s.Round, st.width)
		}
	}
	if s.MACs == 0 && s.Params == 0 {
		return most, nil
	}
	macs, params := s.Shares(g)
	whole := structure.CostOf(g)
	var fault error
	within := func(w int) bool {
		c, err := st.sliced(g, w, nil)
		if err != nil {
			fault = err
			return false
		}
		cost := structure.CostOf(c)
		return (macs == 0 || float64(cost.MACs) <= math.Round(macs*float64(whole.MACs))) && (params == 0 || float64(cost.Params) <= math.Round(params*float64(whole.Params)))
	}
	if within(most) {
		return most, fault
	}
	most = s.Round * sort.Search(most/s.Round, func(i int) bool { return !within((i + 1) * s.Round) }) // costs rise with the width
	if most == 0 && fault == nil {
		return 0, catalog.Errorf("{MACs} and {Params} cannot be kept by {Round} %d of the stream's %d channels: what is not of the stream stays", s.Round, st.width)
	}
	return most, fault
}
