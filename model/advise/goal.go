package advise

import (
	"encoding"
	"fmt"
	"math"
	"strconv"
	"strings"

	"pare/catalog"
	"pare/model"
)

// Goal is what a pruned network is to come to: at most so much of something.
type Goal struct {
	Of   string  `json:"of"`   // latency, bytes, macs, energy or drop
	Most float64 `json:"most"` // in (0,1] a share of what the network has, above 1 a number of bytes, nanoseconds or multiply-accumulates; of drop, units of the metric
	Text string  `json:"text"` // as it was given
}

// Goals are those that there are.
var Goals = []string{"latency", "bytes", "macs", "energy", "drop"}

// ParseGoal reads a goal such as latency=0.5, bytes=1.2MB, macs=20M, energy=0.5 or drop=1.
func ParseGoal(text string) (Goal, error) {
	of, amount, ok := strings.Cut(text, "=")
	bad := func(why string) (Goal, error) {
		return Goal{}, fmt.Errorf("goal %q: %s: give one of %s, such as latency=0.5 or bytes=1.2MB", text, why, strings.Join(Goals, ", "))
	}
	if !ok || amount == "" {
		return bad("NAME=AMOUNT is needed")
	}
	g := Goal{Of: of, Text: amount}
	var t model.Time
	var s model.Size
	var c model.Count
	to := map[string]encoding.TextUnmarshaler{"latency": &t, "bytes": &s, "macs": &c, "energy": &c}[of]
	switch {
	case of == "drop":
		x, err := strconv.ParseFloat(amount, 64)
		if err != nil || !(x >= 0) || math.IsInf(x, 0) {
			return bad(fmt.Sprintf("%q is no number of at least 0", amount))
		}
		g.Most = x
		return g, nil
	case to == nil:
		why := fmt.Sprintf("there is no goal %q", of)
		if near := catalog.Nearest(of, Goals); near != "" {
			why += ", did you mean " + near + "?"
		}
		return bad(why)
	}
	if err := to.UnmarshalText([]byte(amount)); err != nil {
		return bad(err.Error())
	}
	switch g.Most = float64(c); of {
	case "latency":
		g.Most = float64(t)
	case "bytes":
		g.Most = float64(s)
	}
	if !(g.Most > 0) || math.IsInf(g.Most, 0) || of == "energy" && g.Most > 1 {
		return bad("an amount is above 0; of energy it is a share, in (0,1]")
	}
	return g, nil
}

// Share is the goal as a share of what the network has.
func (g Goal) Share(has float64) float64 {
	if g.Most <= 1 {
		return g.Most
	}
	return g.Most / math.Max(1, has)
}
