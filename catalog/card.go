// Package catalog is how methods describe themselves: a Card says what a method
// is, a struct of settings with tags says what can be set, and from both come the
// command's flags and help, the documentation, and the refusal of wrong values.
//
//	type LAMP struct {
//		Sparsity float64 `flag:"sparsity" range:"[0,1)" doc:"share of the weights that is cut"`
//		Rank     string  `flag:"rank" choice:"global,uniform" doc:"how weights are ranked"`
//	}
//
//	s := &LAMP{Sparsity: .9, Rank: "global"}  // the defaults
//	err := catalog.Set(s, "sparsity", "0.8")  // as a flag does
//	err = catalog.Validate(s)                 // names the first field out of its choices or range
//
// The package knows no network and imports nothing of this module.
package catalog

// Need says what a method must be given beside what it pares.
type Need uint8

// The needs, each including those before it.
const (
	Weights Need = iota // nothing else; data lets it fine-tune
	Samples             // data without labels
	Labels              // data with labels
	Trains              // data with labels, and a training recipe
)

func (n Need) String() string {
	return [...]string{"weights only", "unlabelled data", "labelled data", "training"}[n]
}

// MarshalText writes the need as String does.
func (n Need) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// Card says what a method is.
type Card struct {
	ID    string `json:"id"` // number of the paper's specification, "" for a baseline
	Name  string `json:"name"`
	Title string `json:"title"`
	Noun  string `json:"noun"`  // model, data, prompt, reason, decide, rules
	Paper string `json:"paper"` // authors, year, arXiv
	Doc   string `json:"doc"`   // Markdown: what it does, and where it departs from the paper; never a measured figure
	Cuts  string `json:"cuts"`  // weights, channels, …
	Needs Need   `json:"needs"`
	Axes  Axes   `json:"axes"` // its place in the field: see Placed
}
