package dataset

// tokenizing says how texts become tokens.
type tokenizing struct {
	length int
}

type tokenCells struct{}

func (o *options) tokenizing() *tokenizing { return nil }

func (k *tokenizing) wants(name string, isClass bool) bool { return false }
func (k *tokenizing) choose(t *table, text []*cells) error { return nil }
func (k *tokenizing) room(n int) *tokenCells               { return nil }
func (k *tokenizing) keep(t *table, c *cells) error        { return nil }
func (k *tokenizing) fields(c *cells) []*Field             { return nil }
