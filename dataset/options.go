package dataset

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// options reads the query of a specification and remembers what was used.
type options struct {
	q    url.Values
	used []string
	err  error
}

// parseOptions reads NAME=VALUE&…; each name once, each with a value.
func parseOptions(query string) (*options, error) {
	q, err := url.ParseQuery(query)
	if err != nil {
		return nil, fmt.Errorf("the options are not NAME=VALUE&…: %w", err)
	}
	for k, v := range q {
		if len(v) > 1 {
			return nil, fmt.Errorf("option %s is given %d times", k, len(v))
		}
		if v[0] == "" {
			return nil, fmt.Errorf("option %s has no value: write %s=VALUE", k, k)
		}
	}
	return &options{q: q}, nil
}

func (o *options) fail(format string, a ...any) {
	if o.err == nil {
		o.err = fmt.Errorf(format, a...)
	}
}

func (o *options) str(name, def string) string {
	o.used = append(o.used, name)
	if v := o.q.Get(name); v != "" {
		return v
	}
	return def
}

// oneOf is an option of few words; the first is the default.
func (o *options) oneOf(name string, words ...string) string {
	v := o.str(name, words[0])
	if !slices.Contains(words, v) {
		o.fail("option %s=%s: use %s%s", name, v, strings.Join(words, ", "), meant(v, words))
	}
	return v
}

func (o *options) num(name string, def float64) float64 {
	s := o.str(name, "")
	if s == "" {
		return def
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		o.fail("option %s=%s is not a number", name, s)
		return def
	}
	return v
}

func (o *options) whole(name string, def, least int) int {
	v := o.num(name, float64(def))
	if v != math.Trunc(v) || v < float64(least) || v > 1<<53 {
		o.fail("option %s=%v must be a whole number of at least %d", name, v, least)
		return def
	}
	return int(v)
}

func (o *options) list(name string) []float32 {
	s := o.str(name, "")
	if s == "" {
		return nil
	}
	var out []float32
	for _, w := range strings.Split(s, ",") {
		v, err := strconv.ParseFloat(strings.TrimSpace(w), 32)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			o.fail("option %s=%s is not a list of numbers", name, s)
		}
		out = append(out, float32(v))
	}
	return out
}

// unknown refuses an option that nothing has asked for.
func (o *options) unknown() error {
	var names []string
	for k := range o.q {
		if !slices.Contains(o.used, k) {
			names = append(names, k)
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	slices.Sort(o.used)
	used := slices.Compact(o.used)
	return fmt.Errorf("there is no option %q here%s: use %s", names[0], meant(names[0], used), strings.Join(used, ", "))
}

// meant is a question for the word that a mistyped one is nearest to, or
// nothing.
func meant(word string, words []string) string {
	best, at := "", 1+max(1, len(word)/3)
	for _, w := range words {
		if d := distance(strings.ToLower(word), strings.TrimSuffix(strings.ToLower(w), ":")); d < at {
			best, at = w, d
		}
	}
	if best == "" || at == 0 && best == word {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", best)
}

// distance is the number of letters to change, add or take away, of words that
// are not long.
func distance(a, b string) int {
	x, y := []byte(a), []byte(b)
	slices.Sort(x)
	slices.Sort(y)
	if a != b && len(a) < 12 && slices.Equal(x, y) {
		return 1 // letters out of order
	}
	a, b = a[:min(len(a), 40)], b[:min(len(b), 40)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		diag := row[0]
		row[0] = i + 1
		for j := range b {
			d := diag
			if a[i] != b[j] {
				d = 1 + min(diag, row[j], row[j+1])
			}
			diag, row[j+1] = row[j+1], d
		}
	}
	return row[len(b)]
}
