package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"pare/report"
	"pare/scaling"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"
)

func (c *cli) scaling() *cobra.Command {
	m := &cobra.Command{Use: "scaling", Short: "Fit the law of losses after pre-training, dense and sparse, and predict by it", RunE: noCommand}
	m.AddCommand(c.scalingFit(), c.scalingPredict())
	return m
}

func (c *cli) scalingFit() *cobra.Command {
	var out, plot string
	var o scaling.Options
	cmd := &cobra.Command{Use: "fit RUNS.csv -o LAW.json", Short: "Fit L(N, D) = E + A/N^alpha + B/D^beta to runs", Args: args("RUNS.csv"),
		Long: `Fits the law of Jin et al. 2025 (arXiv 2501.12486): N is the number of parameters on average over the training, so that
one law holds for dense models and for those that are pruned while they are trained. It is fitted as Hoffmann et al. 2022
(arXiv 2203.15556) fit theirs, from many starts; intervals come from fits to runs that are drawn again. The numbers of a
law go together: compare predictions.

` + scaling.TableHelp,
		Example: `  pare model scaling fit runs.csv -o law.json --plot law.svg
  pare model scaling predict law.json --n 138M --tokens 20B`,
		RunE: func(cmd *cobra.Command, a []string) error { return c.runScalingFit(cmd.Context(), a[0], out, plot, o) }}
	cmd.Flags().StringVarP(&out, "output", "o", "", "file for the law (.json)")
	cmd.Flags().StringVar(&plot, "plot", "", "draw measured losses against the law's (.svg)")
	cmd.Flags().Uint64Var(&o.Seed, "seed", 1, "of the starts and the runs that are drawn again")
	cmd.Flags().IntVar(&o.Resample, "resample", 200, "fits to runs that are drawn again, for the intervals (-1: none)")
	return cmd
}

func (c *cli) runScalingFit(ctx context.Context, path, out, plot string, o scaling.Options) error {
	if err := c.claim(places{in: []input{{what: "input", path: path}}, out: []file{{"output", out, []string{".json"}}, {"plot", plot, plots}}}); err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	runs, err := scaling.ReadRuns(f)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	fit, err := scaling.Fit(ctx, runs, o)
	if ctx.Err() != nil {
		return stopped("stopped; nothing was written")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, spoken(err))
	}
	for _, x := range scaling.Doubts(runs) {
		c.say("note: %s", x)
	}
	if out != "" {
		b, err := json.MarshalIndent(fit, "", "  ")
		if err != nil {
			return err
		}
		if err := renameio.WriteFile(out, append(b, '\n'), 0o644, renameio.WithTempDir(filepath.Dir(out))); err != nil {
			return err
		}
	}
	if plot != "" {
		if err := drawn(fit).SaveSVG(plot); err != nil {
			return err
		}
	}
	if c.json {
		return c.printJSON(fit)
	}
	fmt.Fprintf(c.out, "L(N, D) = %.4g + %.4g/N^%.4g + %.4g/D^%.4g\n", fit.E, fit.A, fit.Alpha, fit.B, fit.Beta)
	t := &report.Table{Columns: []string{"run", "parameters, average", "left", "tokens", "loss", "by the law", "off"}}
	for i, r := range fit.Runs {
		name := r.Name
		if name == "" {
			name = fmt.Sprint(i + 1)
		}
		t.Rows = append(t.Rows, []report.Cell{report.Text(name), report.Scaled(r.N), report.Scaled(r.Final), report.Scaled(r.Tokens), report.Number(r.Loss), report.Number(fit.Loss(r.N, r.Tokens)),
			{Text: fmt.Sprintf("%+.2f %%", 100*math.Expm1(fit.Residuals[i])), IsNum: true, Value: fit.Residuals[i]}})
	}
	r := &report.Report{}
	r.Add(report.Section{Table: t})
	r.Print(c.out, c.width())
	return nil
}

// drawn shows measured losses against those of the law.
func drawn(f *scaling.Fitted) *report.Plot {
	p := &report.Plot{Title: "Losses, measured and by the law", X: report.Axis{Name: "loss by the law"}, Y: report.Axis{Name: "loss measured"}}
	dense, sparse := report.Series{Name: "dense"}, report.Series{Name: "pruned while trained"}
	low, high := math.Inf(1), math.Inf(-1)
	for _, r := range f.Runs {
		x := report.Point{X: f.Loss(r.N, r.Tokens), Y: r.Loss, Label: r.Name}
		low, high = math.Min(low, x.X), math.Max(high, x.X)
		if r.Sparse() {
			sparse.Points = append(sparse.Points, x)
		} else {
			dense.Points = append(dense.Points, x)
		}
	}
	for _, s := range []report.Series{dense, sparse} {
		if len(s.Points) > 0 {
			p.Series = append(p.Series, s)
		}
	}
	p.Series = append(p.Series, report.Series{Name: "the law", Line: true, Dashed: true, Points: []report.Point{{X: low, Y: low}, {X: high, Y: high}}})
	return p
}

// predicting is what the flags of predict say.
type predicting struct {
	n, final, tokens string
	sparsity         float64
	begin, end       float64
	power            float64
	unit             string
	loss             float64
}

func (c *cli) scalingPredict() *cobra.Command {
	q := &predicting{}
	cmd := &cobra.Command{Use: "predict LAW.json --n N --tokens D", Short: "Say what loss a law foretells, or how many tokens a loss takes", Args: args("LAW.json"),
		Long: `Says which loss the law foretells, with the middle 95 % of what the fits to runs that were drawn again say. --n is a
dense model's size. With --final and --sparsity it is of a model that is pruned while it is trained, to so many parameters
from final/(1-sparsity), in the window of --begin and --end; beside it stands the dense model of as many parameters as that
has on average, which the law gives the same loss for the same compute, and which is larger to run. --loss in the place of
--tokens asks how many tokens take a model there. Compute is 6 N D, where what is cut is not computed.`,
		Example: `  pare model scaling predict law.json --n 138M --tokens 20B
  pare model scaling predict law.json --final 70M --sparsity 0.5 --tokens 20B
  pare model scaling predict law.json --final 70M --sparsity 0.5 --loss 2.9`,
		RunE: func(_ *cobra.Command, a []string) error { return c.runScalingPredict(a[0], q) }}
	f := cmd.Flags()
	f.StringVar(&q.n, "n", "", "parameters of a dense model, such as 138M")
	f.StringVar(&q.final, "final", "", "parameters that are left of one that is pruned")
	f.Float64Var(&q.sparsity, "sparsity", .5, "with --final: share of the parameters that is cut")
	f.Float64Var(&q.begin, "begin", .25, "with --final: where pruning begins, as a share of the training")
	f.Float64Var(&q.end, "end", .75, "with --final: where it ends")
	f.Float64Var(&q.power, "power", 3, "with --final: of the curve along which the sparsity rises")
	f.StringVar(&q.unit, "unit", "compute", "with --final: what the shares are of, compute or tokens")
	f.StringVar(&q.tokens, "tokens", "", "tokens of the training, such as 20B")
	f.Float64Var(&q.loss, "loss", 0, "ask how many tokens take the model to this loss")
	return cmd
}

// largestLaw bounds a law's file.
const largestLaw = 256 << 20

func (c *cli) runScalingPredict(path string, q *predicting) error {
	if (q.n == "") == (q.final == "") {
		return usage("give --n N of a dense model, or --final N of one that is pruned")
	}
	if (q.tokens == "") == (q.loss == 0) {
		return usage("give --tokens D, or --loss L to be told how many it takes")
	}
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	if st.Size() > largestLaw {
		return fmt.Errorf("%s is no law: it has %d bytes", path, st.Size())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var law scaling.Fitted
	if err := json.Unmarshal(b, &law); err != nil || !(law.A > 0 && law.B > 0 && law.E > 0 && law.Alpha > 0 && law.Beta > 0) {
		return fmt.Errorf("%s is no law that pare model scaling fit wrote", path)
	}
	said := map[string]any{}
	n, err := c.sized(q, said)
	if err != nil {
		return err
	}
	tokens := law.Tokens(n, q.loss)
	if q.tokens != "" {
		if tokens, err = amount("tokens", q.tokens); err != nil {
			return err
		}
	} else if math.IsInf(tokens, 0) {
		return fmt.Errorf("no number of tokens takes a model of %s parameters to a loss of %v: the least is %.4g", report.Scaled(n).Text, q.loss, law.E+law.A/math.Pow(n, law.Alpha))
	}
	loss, low, high := law.Predict(n, tokens)
	for _, x := range scaling.Doubts(law.Runs) {
		c.say("note: %s", x)
	}
	said["n"], said["tokens"], said["loss"], said["compute"] = n, tokens, loss, 6*n*tokens
	if high > 0 {
		said["loss_low"], said["loss_high"] = low, high
	}
	if out := outside(&law, n, tokens); out != "" {
		c.say("note: %s: the law is carried on beyond the runs that it was fitted to", out)
	}
	if c.json {
		return c.printJSON(said)
	}
	between := ""
	if high > 0 {
		between = fmt.Sprintf(" (%.4g to %.4g)", low, high)
	}
	fmt.Fprintf(c.out, "loss %.4g%s with %s tokens, %.3g operations\n", loss, between, report.Scaled(tokens).Text, 6*n*tokens)
	if q.final != "" {
		fmt.Fprintf(c.out, "a dense model of %s parameters comes to the same for the same compute, and is %.2f times as large to run\n", report.Scaled(n).Text, n/said["final"].(float64))
	}
	return nil
}

// amount reads a number of parameters or tokens.
func amount(flag, text string) (float64, error) {
	x, err := scaling.Number(text)
	if err != nil || !(x > 0) || math.IsInf(x, 0) {
		return 0, usage("--%s %s: a number above 0 such as 138M is needed", flag, text)
	}
	return x, nil
}

// sized is the number of parameters on average over the training that is asked for; what
// else there is to say of it is put into said.
func (c *cli) sized(q *predicting, said map[string]any) (float64, error) {
	if q.n != "" {
		return amount("n", q.n)
	}
	final, err := amount("final", q.final)
	if err != nil {
		return 0, err
	}
	w := scaling.Window{Begin: q.begin, End: q.end, Sparsity: q.sparsity, Power: q.power}
	switch err = w.Check(); {
	case err == nil && q.unit == "compute":
		w, err = scaling.InCompute(q.begin, q.end, q.sparsity, q.power)
	case err == nil && q.unit != "tokens":
		return 0, usage("--unit %s: compute or tokens is needed", q.unit)
	}
	if err != nil {
		return 0, spoken(err)
	}
	first := final / (1 - q.sparsity)
	n := first * w.Average()
	said["first"], said["final"], said["begin_tokens"], said["end_tokens"] = first, final, w.Begin, w.End
	if !c.json {
		fmt.Fprintf(c.out, "from %s to %s parameters, %s on average, cut from %.1f to %.1f %% of the tokens\n", report.Scaled(first).Text, report.Scaled(final).Text, report.Scaled(n).Text, 100*w.Begin, 100*w.End)
	}
	return n, nil
}

// outside says where a prediction lies beyond the runs.
func outside(f *scaling.Fitted, n, tokens float64) string {
	var out []string
	for _, x := range []struct {
		what string
		at   float64
		of   func(scaling.Run) float64
	}{{"parameters", n, func(r scaling.Run) float64 { return r.N }}, {"tokens", tokens, func(r scaling.Run) float64 { return r.Tokens }}} {
		low, high := math.Inf(1), math.Inf(-1)
		for _, r := range f.Runs {
			low, high = math.Min(low, x.of(r)), math.Max(high, x.of(r))
		}
		if len(f.Runs) > 0 && (x.at < low || x.at > high) {
			out = append(out, fmt.Sprintf("the runs have %s to %s %s", report.Scaled(low).Text, report.Scaled(high).Text, x.what))
		}
	}
	return strings.Join(out, "; ")
}
