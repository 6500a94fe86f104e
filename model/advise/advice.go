package advise

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"pare/measure"
)

// Advice is a rule that holds for a network.
type Advice struct {
	Rank    int      `json:"rank"` // of those with a command, from 1; 0: a caution
	Rule    string   `json:"rule"`
	Command string   `json:"command,omitempty"` // as a shell takes it
	Args    []string `json:"args,omitempty"`    // of pare
	Cites   string   `json:"cites"`
	Why     string   `json:"why"`
	Source  string   `json:"source"`
}

// Advise applies the rules to what was measured, in their order: commands ranked, and
// cautions. Two rules that come to the same command are one.
func (s *Study) Advise() (out []Advice) {
	if m, ok := s.Facts["median-sensitive"]; ok && m.Value > 0 {
		s.Facts["unlike"] = Fact{Value: s.Facts["most-sensitive"].Value / m.Value}
	}
	rank := 0
	for _, r := range Rules {
		if r.Goals != nil && !slices.Contains(r.Goals, s.Goal.Of) || !s.holds(r.If) {
			continue
		}
		cites, ok := s.cite(r.Cites)
		if !ok {
			continue
		}
		a := Advice{Rule: r.Name, Cites: cites, Why: r.Why, Source: r.Source}
		if r.Do != nil {
			a.Args = append([]string{"model"}, s.filled(r.Name, r.Do)...)
			a.Command = measure.Quote(append([]string{"pare"}, a.Args...)...)
			if slices.ContainsFunc(out, a.same) {
				continue
			}
			rank++
			a.Rank = rank
		}
		out = append(out, a)
	}
	return out
}

// same says whether another's command does the same, under whatever name.
func (a Advice) same(b Advice) bool {
	name := func(args []string) []string {
		args = slices.Clone(args)
		if i := slices.Index(args, "-o"); i >= 0 {
			args[i+1] = ""
		}
		return args
	}
	return slices.Equal(name(a.Args), name(b.Args))
}

// holds says whether all conditions do.
func (s *Study) holds(cs []Condition) bool {
	for _, c := range cs {
		f, measured := s.Facts[c.Fact]
		if !measured || f.Value < c.Min || c.Below != 0 && f.Value >= c.Below || math.IsNaN(f.Value) {
			return false
		}
	}
	return true
}

// cite puts facts in the place of their names; false where one was not measured: such a
// rule would rest on nothing.
func (s *Study) cite(text string) (string, bool) {
	ok := true
	for name, f := range s.Facts {
		text = strings.ReplaceAll(text, "{"+name+"}", f.String())
	}
	if strings.Contains(text, "{") {
		ok = false
	}
	return text, ok
}

// filled puts what is known in the place of words in braces. {budget} and {recover} are
// several arguments.
func (s *Study) filled(rule string, do []string) (out []string) {
	num := func(x float64) string { return strconv.FormatFloat(x, 'g', 6, 64) }
	stem := strings.TrimSuffix(filepath.Base(s.File), filepath.Ext(s.File))
	word := strings.NewReplacer("{file}", s.File, "{stem}", stem, "{rule}", rule, "{data}", s.Data, "{sparsity}", num(s.Sparsity), "{macs}", num(s.MACs),
		"{third}", fmt.Sprint(max(1, s.Epochs/4)), "{least-epochs}", fmt.Sprint(max(1, s.Epochs)))
	for _, w := range do {
		switch w {
		case "{budget}":
			flag := s.Goal.Of
			if flag == "drop" {
				flag = "max-drop"
			}
			out = append(out, "--"+flag, s.Goal.Text)
		case repair:
			out = append(out, s.recovery()...)
		default:
			out = append(out, word.Replace(w))
		}
	}
	return out
}

// recovery is how a command wins back what the cut costs: by training where there is data
// and time for an epoch, else by solving.
func (s *Study) recovery() []string {
	switch {
	case s.Data == "":
		return nil
	case s.Epochs < 1:
		return []string{"--data", s.Data, "--epochs", "0", "--recover", "solve"}
	}
	return []string{"--data", s.Data, "--epochs", fmt.Sprint(s.Epochs)}
}
