package blockwise

// Facts are what became of a model.
type Facts struct {
	Blocks   int     `json:"blocks"`
	Layers   []Layer `json:"layers"`
	Together int     `json:"samples_at_once,omitempty"`
	Whole    int     `json:"model_bytes"`             // of all weights, as float32
	Peak     int     `json:"peak_bytes"`              // of memory, at most
	Spilled  int     `json:"spilled_bytes,omitempty"` // of activations that did not fit into it
}

// Layer is a weight that was cut.
type Layer struct {
	Name    string `json:"name"`
	Entries int    `json:"entries"`
	Kept    int    `json:"kept"`
}

// Cut is the numbers of weights that stay and that were to be cut.
func (f *Facts) Cut() (kept, all int) {
	for _, l := range f.Layers {
		kept, all = kept+l.Kept, all+l.Entries
	}
	return kept, all
}
