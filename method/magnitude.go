package method

import (
	"context"
	"fmt"

	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/schedule"
	"pare/prune/score"
)

// Magnitude are the settings of the plain magnitude baseline.
type Magnitude struct {
	Sparsity float64 `flag:"sparsity" doc:"share of the prunable weights that is cut, in [0,1)"`
	Allocate string  `flag:"allocate" doc:"how much of each layer: global, uniform, er, erk, or rd (rate-distortion curves on --data)"`
	Pattern  string  `flag:"pattern" doc:"what is cut: single weights (empty), N:M such as 2:4 (N of every M inputs stay), or block:HxW tiles"`
	Rounds   int     `flag:"rounds" doc:"iterative pruning: so many rounds, each followed by the whole recipe of fine-tuning"`
	Gradual  bool    `flag:"gradual" doc:"raise the sparsity along a cubic over the first half of the fine-tuning instead of at once"`
	Layers
}

var magnitude = &Method{
	Name: "magnitude", Title: "Magnitude pruning by layer, pattern and round",
	Paper: "Han, Pool, Tran, Dally 2015, arXiv 1506.02626 (rounds); Evci, Gale, Menick, Castro, Elsen 2020, arXiv 1911.11134 (erk); Mishra et al. 2021, arXiv 2104.08378 (N:M)",
	Cuts:  "weights, N:M groups, blocks", Needs: Weights,
	Doc: `The baseline in all its forms: the smallest weights go, ranked over all layers or within each, singly, in N:M groups
along a row of inputs, or in blocks; at once, in rounds, or gradually while training. With N:M the pattern sets the
sparsity; with blocks every layer keeps its share of tiles by summed magnitude.`,
	Settings: func() any { return &Magnitude{Sparsity: .9, Allocate: "uniform", Rounds: 1} },
	Run:      runMagnitude,
}

func runMagnitude(ctx context.Context, j *Job) (*Result, error) {
	s := j.Settings.(*Magnitude)
	ws, err := s.weights(j.Graph)
	if err != nil {
		return nil, err
	}
	pick := func(sparsity float64) (*prune.Masks, error) { return s.pick(ws, sparsity) }
	if s.Allocate == "rd" && s.Pattern == "" {
		if s.Gradual {
			return nil, fmt.Errorf("--allocate rd measures every layer at every change of the masks: use --rounds instead of --gradual")
		}
		pick = func(sparsity float64) (*prune.Masks, error) {
			m, _, err := rdDefaults().pick(ctx, j, prune.Dense(ws), sparsity)
			return m, err
		}
	}
	if s.Gradual {
		return gradually(ctx, j, ws, schedule.Gradual{Final: s.Sparsity, End: j.Steps() / 2, Every: max(1, j.Steps()/100), Power: 3}, false, pick)
	}
	steps, err := schedule.Iterative(s.Sparsity, s.Rounds)
	if err != nil {
		return nil, err
	}
	if s.Rounds > 1 && j.Recipe.Epochs == 0 {
		return nil, fmt.Errorf("rounds of pruning have fine-tuning between them: give --data and --epochs")
	}
	res := &Result{Graph: j.Graph}
	for i, x := range steps {
		m, err := pick(x)
		if err != nil {
			return nil, err
		}
		m.Apply()
		res.Masks = m
		j.logf("round %d of %d: %d of %d weights stay", i+1, s.Rounds, m.Count(), prune.Total(ws))
		if err := j.untuned(ctx, j.Graph); err != nil {
			return nil, err
		}
		epochs, err := j.round(i, s.Rounds).Fit(ctx, j.Graph, &prune.Hold{Masks: m})
		if err != nil {
			return nil, err
		}
		for _, e := range epochs {
			e.Epoch += i * j.Recipe.Epochs
			res.Epochs = append(res.Epochs, e)
		}
	}
	res.Notes = collapse(res.Masks)
	return res, nil
}

// round is the job of round i of n. Each has a checkpoint of its own: a run that
// resumes passes through the rounds that are done, whose masks follow from the
// weights that their checkpoints hold.
func (j *Job) round(i, n int) *Job {
	if n == 1 {
		return j
	}
	k := *j
	if j.Save != "" {
		k.Save = roundFile(j.Save, i)
	}
	if j.OnStep != nil {
		k.OnStep = func(step, total int, loss float64) { j.OnStep(i*total+step, n*total, loss) }
	}
	return &k
}

func roundFile(save string, i int) string { return fmt.Sprintf("%s.%d", save, i+1) }

// pick chooses masks for a sparsity by the weights' present values.
func (s *Magnitude) pick(ws []*prune.Weight, sparsity float64) (*prune.Masks, error) {
	sc := score.Magnitude(ws)
	var n, m int
	if k, _ := fmt.Sscanf(s.Pattern, "block:%dx%d", &n, &m); k == 2 {
		return patterned(ws, sc, func(x []float32, rows, cols int) (*prune.Mask, error) {
			tiles := max(1, (rows+n-1)/max(n, 1)) * ((cols + m - 1) / max(m, 1))
			keep, err := allocate.Keep(tiles, sparsity)
			if err != nil {
				return nil, err
			}
			return prune.Blocks(x, rows, cols, n, m, max(1, keep))
		})
	}
	if k, _ := fmt.Sscanf(s.Pattern, "%d:%d", &n, &m); k == 2 {
		return patterned(ws, sc, func(x []float32, rows, cols int) (*prune.Mask, error) { return prune.Nm(x, rows, cols, n, m) })
	}
	if s.Pattern != "" {
		return nil, fmt.Errorf("pattern %q is neither N:M nor block:HxW", s.Pattern)
	}
	var keep []int
	var err error
	switch s.Allocate {
	case "global":
		return allocate.Global(ws, sc, sparsity, nil)
	case "uniform":
		keep, err = allocate.Uniform(ws, sparsity)
	case "er", "erk":
		keep, err = allocate.ErdosRenyi(ws, sparsity, s.Allocate == "erk")
	default:
		err = fmt.Errorf("there is no allocation %q: use global, uniform, er, erk or rd", s.Allocate)
	}
	if err != nil {
		return nil, err
	}
	return allocate.Select(ws, sc, keep, prune.CutFirst), nil
}

func patterned(ws []*prune.Weight, sc [][]float32, f func(x []float32, rows, cols int) (*prune.Mask, error)) (*prune.Masks, error) {
	out := &prune.Masks{Weights: ws}
	for l, w := range ws {
		m, err := w.Patterned(sc[l], f)
		if err != nil {
			return nil, err
		}
		out.Mask = append(out.Mask, m)
	}
	return out, nil
}
