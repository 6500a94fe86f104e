package allocate

import (
	"fmt"
	"strconv"
	"strings"

	"pare/prune"
)

// Pattern is the shape of what is cut: single weights (the zero value), N of every M
// inputs that stay, or tiles of H outputs times W inputs. As text it is "", "2:4" or
// "block:4x4".
type Pattern struct{ N, M, H, W int }

// ParsePattern reads a pattern.
func ParsePattern(text string) (Pattern, error) {
	bad := fmt.Errorf("%q is neither N:M nor block:HxW", text)
	if text == "" {
		return Pattern{}, nil
	}
	tiles, block := strings.CutPrefix(text, "block:")
	sep := ":"
	if block {
		sep = "x"
	}
	a, b, ok := strings.Cut(tiles, sep)
	x, err1 := strconv.Atoi(a)
	y, err2 := strconv.Atoi(b)
	switch {
	case !ok || err1 != nil || err2 != nil || x < 1 || y < 1:
		return Pattern{}, bad
	case block:
		return Pattern{H: x, W: y}, nil
	case x > y:
		return Pattern{}, fmt.Errorf("%q: of every %d inputs no more than that can stay", text, y)
	}
	return Pattern{N: x, M: y}, nil
}

// String is the pattern as ParsePattern reads it.
func (p Pattern) String() string {
	switch {
	case p.M > 0:
		return fmt.Sprintf("%d:%d", p.N, p.M)
	case p.H > 0:
		return fmt.Sprintf("block:%dx%d", p.H, p.W)
	}
	return ""
}

// MarshalText writes the pattern as ParsePattern reads it.
func (p Pattern) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads a pattern.
func (p *Pattern) UnmarshalText(b []byte) (err error) {
	*p, err = ParsePattern(string(b))
	return err
}

// check returns an error for what ParsePattern cannot have read.
func (p Pattern) check() error {
	q, err := ParsePattern(p.String())
	if err == nil && q != p {
		err = fmt.Errorf("%+v is neither N:M nor block:HxW", struct{ N, M, H, W int }(p))
	}
	return err
}

// Masks cuts a pattern by scores. N:M sets the sparsity itself; of blocks every
// layer keeps its share of tiles, those of the largest sums, and at least one.
func (p Pattern) Masks(ws []*prune.Weight, score [][]float32, sparsity float64) (*prune.Masks, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	cut := func(x []float32, rows, cols int) (*prune.Mask, error) { return prune.Nm(x, rows, cols, p.N, p.M) }
	if p.H > 0 {
		cut = func(x []float32, rows, cols int) (*prune.Mask, error) {
			tiles := max(1, (rows+p.H-1)/p.H) * ((cols + p.W - 1) / p.W)
			keep, err := Keep(tiles, sparsity)
			if err != nil {
				return nil, err
			}
			return prune.Blocks(x, rows, cols, p.H, p.W, max(1, keep))
		}
	}
	out := &prune.Masks{Weights: ws}
	for l, w := range ws {
		m, err := w.Patterned(score[l], cut)
		if err != nil {
			return nil, err
		}
		out.Mask = append(out.Mask, m)
	}
	return out, nil
}
