package lm

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
)

// Price is what tokens cost, in any currency, a million tokens.
type Price struct {
	Prompt     float64 `json:"prompt"`
	Cached     float64 `json:"cached"` // of tokens of the prompt that the home had read before
	Completion float64 `json:"completion"`
}

// money is an amount in thousand-millionths of the currency: whole numbers, so that
// sums are exact.
type money int64

const (
	nano     = 1e9
	mostCost = 1e9 // of the currency
)

// float is an amount in the currency.
func (m money) float() float64 { return float64(m) / nano }

// amount rounds up to a whole number.
func amount(x float64) money { return money(math.Ceil(math.Min(x, mostCost) * nano)) }

// cost is what numbers of tokens cost.
func (p Price) cost(u Usage) money {
	return amount((float64(u.Prompt-u.Cached)*p.Prompt + float64(u.Cached)*p.Cached + float64(u.Completion)*p.Completion) / 1e6)
}

// Money is what numbers of tokens cost, in the currency of the price.
func (p Price) Money(u Usage) float64 { return p.cost(u).float() }

// most is the most that numbers of tokens cost, however many the home had read before.
func (p Price) most(prompt, completion int) money {
	return amount((float64(prompt)*math.Max(p.Prompt, p.Cached) + float64(completion)*p.Completion) / 1e6)
}

func (p Price) check() error {
	for _, x := range []float64{p.Prompt, p.Cached, p.Completion} {
		if !(x >= 0 && x <= 1e6) {
			return fmt.Errorf("a price of %v: 0 to 1000000 a million tokens is needed", x)
		}
	}
	return nil
}

// ReadPrices reads a JSON object of prices by the model's name:
//
//	{"gpt-x": {"prompt": 0.4, "cached": 0.1, "completion": 1.6}}
//
// Prompt and completion have to be there; cached is the same as prompt where it is
// not.
func ReadPrices(r io.Reader) (map[string]Price, error) {
	var in map[string]struct {
		Prompt     *float64 `json:"prompt"`
		Cached     *float64 `json:"cached"`
		Completion *float64 `json:"completion"`
	}
	d := json.NewDecoder(io.LimitReader(r, 1<<20))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return nil, fmt.Errorf("prices: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("prices: more follows after the object")
	}
	out := map[string]Price{}
	for name, p := range in {
		if p.Prompt == nil || p.Completion == nil {
			return nil, fmt.Errorf("prices: %q lacks the price of prompt or completion, a million tokens", name)
		}
		if p.Cached == nil {
			p.Cached = p.Prompt
		}
		price := Price{*p.Prompt, *p.Cached, *p.Completion}
		if err := price.check(); err != nil {
			return nil, fmt.Errorf("prices: %q: %w", name, err)
		}
		out[name] = price
	}
	return out, nil
}
