package catalog

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Axes place a method in the field, by the axes of Cheng, Zhang, Shi: A Survey on Deep
// Neural Network Pruning: Taxonomy, Comparison, Analysis, and Recommendations (2023), arXiv
// 2308.06767: what runs faster, when and how it prunes, what it must be given, and what
// it is fused with. Each names all that the method's settings can make of it. The four
// axes are those of the survey's abstract; supervision is one of its topics; the values
// below them are the field's own words.
type Axes struct {
	SpeedUp     Words `json:"speed_up"`
	When        Words `json:"when"`
	How         Words `json:"how"`
	Supervision Words `json:"supervision"`
	Fusion      Words `json:"fusion"`
}

// Words are values of an axis, with a space between them.
type Words string

// All gives each word.
func (w Words) All() []string { return strings.Fields(string(w)) }

// Has says whether a word is among them.
func (w Words) Has(word string) bool { return slices.Contains(w.All(), word) }

// MarshalJSON writes a list.
func (w Words) MarshalJSON() ([]byte, error) { return json.Marshal(append([]string{}, w.All()...)) }

// Axis is one of the axes, for those who filter, list and check.
type Axis struct {
	Name   string // as in a flag
	Doc    string
	Parts  []Part
	ofAxes func(*Axes) *Words
}

// Part is values of an axis that belong together. A method has at least one of each part
// that is needed.
type Part struct {
	Name   string // "" where the axis has one part
	Values []Value
}

// Value is a word of an axis.
type Value struct{ Name, Doc string }

// Taxonomy is the axes with their values.
var Taxonomy = []Axis{
	{"speed-up", "what runs the result faster", []Part{{"", []Value{
		{"universal", "any runtime: channels, filters, heads, layers, ranks are gone"},
		{"specific", "a runtime or hardware that knows zeros: single weights, N:M groups, blocks, shared weights"},
	}}}, func(a *Axes) *Words { return &a.SpeedUp }},
	{"when", "when what goes is decided", []Part{{"", []Value{
		{"before", "before training, at initialisation"},
		{"during", "while the weights are trained"},
		{"after", "after training"},
		{"run-time", "for each input anew"},
	}}}, func(a *Axes) *Words { return &a.When }},
	{"how", "how what goes is chosen, in which steps, and what becomes of what stays", []Part{
		{"criterion", []Value{
			{"magnitude", "absolute values of single weights"},
			{"norm", "norms of groups of weights, distances between them, their ranks"},
			{"sensitivity", "how much a loss or an output changes without it"},
			{"gradient", "first derivatives"},
			{"curvature", "second derivatives, or the second moments that stand for them"},
			{"bn-scale", "scales of batch normalisation"},
			{"activation", "what goes into layers or comes out of them"},
			{"random", "chance"},
		}},
		{"learned", []Value{
			{"regularisation", "a penalty that makes weights small"},
			{"gates", "factors between 0 and 1 that are trained"},
			{"scores", "a score for each weight that is trained, the highest of which make the mask"},
			{"thresholds", "thresholds that are trained"},
			{"meta", "a network that makes or rates the weights of others"},
			{"evolution", "an evolutionary search"},
			{"reinforcement", "an agent with a reward"},
			{"search", "an architecture search"},
		}},
		{"schedule", []Value{
			{"one-shot", "at once"},
			{"iterative", "in rounds, or little by little"},
			{"regrow", "what was cut can come back"},
		}},
		{"update", []Value{
			{"retrain", "training goes on, or begins anew"},
			{"rewind", "weights or rates go back to an earlier step of training"},
			{"reconstruct", "weights are solved for what the layers gave before"},
			{"none", "weights that stay keep their values"},
		}},
	}, func(a *Axes) *Words { return &a.How }},
	{"supervision", "what data it can do with", []Part{{"", []Value{
		{"labels", "samples with labels"},
		{"unlabelled", "samples without labels"},
		{"none", "no samples"},
	}}}, func(a *Axes) *Words { return &a.Supervision }},
	{"fusion", "what it is joined with", []Part{{"", []Value{
		{"none", "nothing"},
		{"quantisation", "numbers of few bits"},
		{"distillation", "a teacher"},
		{"low-rank", "products of thin matrices"},
		{"search", "an architecture search"},
		{"sharing", "weights that are one number in memory"},
	}}}, func(a *Axes) *Words { return &a.Fusion }},
}

// FindAxis gives an axis by its name; nil: there is none.
func FindAxis(name string) *Axis {
	for i := range Taxonomy {
		if Taxonomy[i].Name == name {
			return &Taxonomy[i]
		}
	}
	return nil
}

// Of gives the words of a card on this axis.
func (x *Axis) Of(c *Card) Words { return *x.ofAxes(&c.Axes) }

// Words are the names of all values.
func (x *Axis) Words() (out []string) {
	for _, p := range x.Parts {
		out = append(out, p.words()...)
	}
	return out
}

func (p *Part) words() (out []string) {
	for _, v := range p.Values {
		out = append(out, v.Name)
	}
	return out
}

// Check returns an error where a word is no value of the axis: it lists those that are.
func (x *Axis) Check(word string) error {
	words := x.Words()
	if slices.Contains(words, word) {
		return nil
	}
	near := ""
	if n := Nearest(word, words); n != "" {
		near = fmt.Sprintf("did you mean %s? ", n)
	}
	return fmt.Errorf("%q is no value of %s: %sthere are %s", word, x.Name, near, strings.Join(words, ", "))
}

// Placed returns an error where a card leaves an axis empty, or a part of it: how needs
// a criterion or something learned, a schedule and an update. Words must be values.
func Placed(c *Card) error {
	for i := range Taxonomy {
		x := &Taxonomy[i]
		has := x.Of(c)
		for _, w := range has.All() {
			if err := x.Check(w); err != nil {
				return fmt.Errorf("card of %s: %w", c.Name, err)
			}
		}
		any := func(parts ...Part) bool {
			return slices.ContainsFunc(parts, func(p Part) bool { return slices.ContainsFunc(p.words(), has.Has) })
		}
		missing := ""
		switch {
		case len(x.Parts) == 1 && !any(x.Parts[0]):
			missing = "any value"
		case len(x.Parts) == 1:
		case !any(x.Parts[0], x.Parts[1]):
			missing = "a criterion or something learned"
		case !any(x.Parts[2]):
			missing = "a schedule"
		case !any(x.Parts[3]):
			missing = "an update"
		}
		if missing != "" {
			return fmt.Errorf("card of %s: axis %s is without %s: there are %s", c.Name, x.Name, missing, strings.Join(x.Words(), ", "))
		}
	}
	return nil
}

// Filter is what is asked of methods: for each axis the words that a method must have,
// all of them.
type Filter map[string][]string

// Check returns an error where an axis or a word is none.
func (f Filter) Check() error {
	for _, name := range f.names() {
		x := FindAxis(name)
		if x == nil {
			return fmt.Errorf("%q is no axis", name)
		}
		for _, w := range f[name] {
			if err := x.Check(w); err != nil {
				return err
			}
		}
	}
	return nil
}

// names are the axes asked for, sorted, so that of several mistakes the same is told.
func (f Filter) names() (out []string) {
	for name := range f {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// Has says whether a card has every word that is asked for.
func (f Filter) Has(c *Card) bool {
	for name, words := range f {
		x := FindAxis(name)
		for _, w := range words {
			if x == nil || !x.Of(c).Has(w) {
				return false
			}
		}
	}
	return true
}
