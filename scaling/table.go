package scaling

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"pare/catalog"
)

// TableHelp says what a table of runs is.
const TableHelp = `A table is CSV with a line of names: tokens and loss of each run, and its parameters as n (on average over the training;
final is how many are left, n where it is not given) or as n0 (at the beginning), sparsity, begin and end (the window, as
shares of the tokens, or of compute where a column unit says compute) and power (3 where it is not given). name names a run.
Numbers may be written 1e9, 138M or 2.5B.`

// mostRuns bounds a table.
const mostRuns = 100_000

// ReadRuns reads a table of runs (see TableHelp).
func ReadRuns(in io.Reader) ([]Run, error) {
	r := csv.NewReader(in)
	r.TrimLeadingSpace, r.Comment = true, '#'
	head, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("a line of names is needed: %w", err)
	}
	for i := range head {
		head[i] = strings.ToLower(strings.TrimSpace(head[i]))
	}
	known := []string{"name", "n", "final", "tokens", "loss", "n0", "sparsity", "begin", "end", "power", "unit"}
	for i, h := range head {
		if slices.Contains(head[:i], h) {
			return nil, fmt.Errorf("column %.40q stands twice", h)
		}
		if !slices.Contains(known, h) {
			return nil, fmt.Errorf("column %.40q is not known: there are %s", h, strings.Join(known, ", "))
		}
	}
	var out []Run
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if len(out) == mostRuns {
			return nil, fmt.Errorf("there are more than %d runs", mostRuns)
		}
		line, _ := r.FieldPos(0)
		run, err := runOf(head, cells)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		out = append(out, run)
	}
}

// runOf is a line of a table.
func runOf(head, cells []string) (r Run, err error) {
	at := func(name string) string {
		if i := slices.Index(head, name); i >= 0 {
			return strings.TrimSpace(cells[i])
		}
		return ""
	}
	number := func(name string, otherwise float64) float64 {
		text := at(name)
		if text == "" {
			if otherwise != otherwise { // NaN: it must be there
				err = errors.Join(err, fmt.Errorf("%s is missing", name))
			}
			return otherwise
		}
		x, e := Number(text)
		if e != nil {
			err = errors.Join(err, fmt.Errorf("%s %w", name, e))
		}
		return x
	}
	nan := func() float64 { x, _ := strconv.ParseFloat("NaN", 64); return x }()
	r = Run{Name: at("name"), Tokens: number("tokens", nan), Loss: number("loss", nan)}
	if at("n0") == "" {
		r.N = number("n", nan)
		r.Final = number("final", r.N)
		if err == nil && number("sparsity", 0) != 0 {
			err = errors.New("sparsity is given and n0 is not: n is the average already, with final as what is left, and a sparsity is one of n0")
		}
		return r, err
	}
	if at("final") != "" {
		return r, errors.New("n0 and final are both given: what is left of n0 is by the sparsity")
	}
	if at("n") != "" {
		return r, errors.New("n and n0 are both given: one is the average, the other the beginning, of which the window makes it")
	}
	n0, w := number("n0", nan), Window{number("begin", .25), number("end", .75), number("sparsity", 0), number("power", 3)}
	switch unit := at("unit"); {
	case err != nil:
		return r, err
	case unit == "compute":
		w, err = InCompute(w.Begin, w.End, w.Sparsity, w.Power)
	case unit == "tokens" || unit == "":
		err = w.Check()
	default:
		err = catalog.Errorf("unit %.20q: tokens or compute is needed", unit)
	}
	r.N, r.Final = n0*w.Average(), n0*(1-w.Sparsity)
	return r, err
}

// Number reads 1e9, 138M or 2.5B.
func Number(text string) (float64, error) {
	units := map[byte]float64{'k': 1e3, 'K': 1e3, 'M': 1e6, 'G': 1e9, 'B': 1e9, 'T': 1e12}
	scale, t := 1., text
	if n := len(t); n > 1 {
		if u, ok := units[t[n-1]]; ok {
			scale, t = u, t[:n-1]
		}
	}
	x, err := strconv.ParseFloat(t, 64)
	if err != nil {
		return 0, fmt.Errorf("%.40q is no number such as 1e9 or 138M", text)
	}
	return scale * x, nil
}
