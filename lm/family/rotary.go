package family

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
)

// Rotary turns pairs of elements of queries and keys by angles that grow with the
// position (Su et al. 2021, arXiv 2104.09864): of the first Dim elements of a head,
// element j and element j+Dim/2 turn by position·Freq[j]. Elements behind stay.
type Rotary struct {
	Dim    int
	Freq   []float32 // of each pair, Dim/2 of them
	Factor float64   // of cosine and sine (YaRN)
	Limit  int       // positions for which these frequencies hold; 0: all
	Type   string    // rope_type
	Base   float64   // of the powers that the frequencies are (rope_theta)
	Linear float64   // what positions are divided by, of type linear; else 1
}

// rotaryOf reads the frequencies from the entries that transformers writes: since its
// version 5 in rope_parameters, before in rope_theta and rope_scaling.
// part is the share of a head that turns, unless they say otherwise.
func (f *fields) rotaryOf(c *Config, theta, part float64) *Rotary {
	part = f.number("partial_rotary_factor", part)
	theta = f.positive("rope_theta", theta)
	r := f.object("rope_parameters")
	if s := f.object("rope_scaling"); r == nil {
		r = s
	}
	if r == nil {
		r = newFields(nil)
	}
	original := 0
	if f.has("original_max_position_embeddings") {
		original = f.size("original_max_position_embeddings", 0)
	}
	return f.rotary(r, c, r.positive("rope_theta", theta), r.number("partial_rotary_factor", part), original)
}

// rotary computes frequencies from the entries of a scaling.
func (f *fields) rotary(r *fields, c *Config, theta, part float64, original int) *Rotary {
	kind := r.text("rope_type", r.text("type", "default"))
	r.has("type")
	dim := int(float64(c.HeadDim) * part)
	if dim < 2 || dim > c.HeadDim || dim%2 != 0 || !(part > 0) {
		f.fail("%g of a head of %d elements turn: that is not an even number from 2 on", part, c.HeadDim)
		return nil
	}
	t := &Rotary{Dim: dim, Factor: 1, Type: kind, Base: theta, Linear: 1}
	if own := r.size("original_max_position_embeddings", max(c.Positions, 1)); original == 0 {
		original = own
	}
	freq := make([]float64, dim/2)
	for j := range freq {
		freq[j] = math.Pow(theta, -2*float64(j)/float64(dim))
	}
	switch kind {
	case "default":
	case "linear": // Chen et al. 2023, arXiv 2306.15595
		factor := r.positive("factor", 0)
		t.Linear = factor
		for j := range freq {
			freq[j] /= factor
		}
	case "dynamic": // of itself for texts that the model was made for
		r.positive("factor", 0)
		t.Limit = c.Positions
	case "llama3":
		r.llama3(freq, original)
	case "yarn":
		t.Factor = r.yarn(freq, theta, dim, original)
	case "longrope": // of itself for texts of the length that it was first trained on
		t.Factor, t.Limit = r.longRope(freq, float64(c.Positions)/float64(original), original), original
	default:
		f.fail("rope_type %q is not understood; there are default, linear, dynamic, llama3, yarn and longrope", kind)
	}
	if t.Limit > mostPositions {
		f.fail("rope_type %s for %d positions: more than %d are not understood", kind, t.Limit, mostPositions)
	}
	for name, v := range r.raw {
		if !r.seen[name] && string(v) != "null" {
			f.fail("%q of the rotary embedding is not understood for type %s", name, kind)
		}
	}
	if r.err != nil {
		f.fail("rotary embedding: %v", r.err)
	}
	for _, x := range freq {
		t.Freq = append(t.Freq, float32(x))
	}
	return t
}

// llama3 leaves short waves alone, stretches long ones and mixes between (Llama 3.1, as
// transformers computes it).
func (f *fields) llama3(freq []float64, original int) {
	factor := f.positive("factor", 0)
	low, high := f.positive("low_freq_factor", 0), f.positive("high_freq_factor", 0)
	if high <= low {
		f.fail("high_freq_factor %v is not above low_freq_factor %v", high, low)
	}
	for j, x := range freq {
		turns := float64(original) * x / (2 * math.Pi) // of the wave within the original length
		switch {
		case turns < low:
			freq[j] = x / factor
		case turns <= high:
			smooth := (turns - low) / (high - low)
			freq[j] = (1-smooth)*x/factor + smooth*x
		}
	}
}

// yarn mixes stretched and plain frequencies by how often they turn within the original
// length, and gives the factor of cosine and sine (Peng et al. 2023, arXiv 2309.00071).
func (f *fields) yarn(freq []float64, theta float64, dim, original int) float64 {
	factor := f.positive("factor", 0)
	fast, slow := f.positive("beta_fast", 32), f.positive("beta_slow", 1)
	at := func(turns float64) float64 {
		return float64(dim) * math.Log(float64(original)/(turns*2*math.Pi)) / (2 * math.Log(theta))
	}
	low, high := at(fast), at(slow)
	if f.flag("truncate", true) {
		low, high = math.Floor(low), math.Ceil(high)
	}
	low, high = math.Max(low, 0), math.Min(high, float64(dim-1))
	if low == high {
		high += .001
	}
	for j, x := range freq {
		ramp := math.Min(math.Max((float64(j)-low)/(high-low), 0), 1)
		freq[j] = x/factor*ramp + x*(1-ramp)
	}
	scale := func(m float64) float64 {
		if factor <= 1 {
			return 1
		}
		return .1*m*math.Log(factor) + 1
	}
	m, all := f.number("mscale", 0), f.number("mscale_all_dim", 0)
	own := scale(1)
	if m != 0 && all != 0 {
		own = scale(m) / scale(all)
	}
	return f.positive("attention_factor", own)
}

// longRope stretches every wave by a factor of its own, those for texts up to the original
// length (Ding et al. 2024, arXiv 2402.13753), and gives the factor of cosine and sine.
func (f *fields) longRope(freq []float64, factor float64, original int) float64 {
	var short, long []float64
	f.get("short_factor", &short)
	f.get("long_factor", &long)
	if len(short) != len(freq) {
		f.fail("short_factor has %d entries for %d pairs", len(short), len(freq))
		return 1
	}
	for j, x := range short {
		if !(x > 0) {
			f.fail("short_factor %v is not positive", x)
		}
		freq[j] /= x
	}
	own := 1.
	if factor = f.positive("factor", factor); factor > 1 {
		own = math.Sqrt(1 + math.Log(factor)/math.Log(float64(original)))
	}
	return f.positive("attention_factor", own)
}

// rotaryByLayer reads one set of entries for each type of layer (Gemma 3).
func (f *fields) rotaryByLayer(c *Config, types []string) {
	set := map[string]*Rotary{}
	theta := map[string]float64{"full_attention": f.positive("rope_theta", 1e6), "sliding_attention": f.positive("rope_local_base_freq", 1e4)}
	old := f.object("rope_scaling")
	by := f.object("rope_parameters")
	if by == nil {
		by = newFields(nil)
	}
	for kind, th := range theta {
		r := by.object(kind)
		if r == nil && old != nil && kind == "full_attention" { // scaled are the layers that see all
			r = old
		}
		if r == nil {
			r = newFields(nil)
		}
		set[kind] = f.rotary(r, c, r.positive("rope_theta", th), 1, 0)
	}
	for name := range by.raw {
		if !by.seen[name] {
			f.fail("rope_parameters has entries for layers of type %q", name)
		}
	}
	for _, t := range types {
		c.Rotary = append(c.Rotary, set[t])
	}
}

// angle is that of a pair at a position, in the precision in which transformers
// computes it.
func (r *Rotary) angle(position, pair int) float64 { return float64(float32(position) * r.Freq[pair]) }

// Table gives cosine and sine of n positions, [n Dim/2] each.
func (r *Rotary) Table(n int) (cos, sin []float32, err error) {
	if r.Limit > 0 && n > r.Limit {
		return nil, nil, fmt.Errorf("%d positions: rotary embeddings of type %s hold for %d", n, r.Type, r.Limit)
	}
	half := r.Dim / 2
	cos, sin = make([]float32, n*half), make([]float32, n*half)
	for p := range n {
		for j := range half {
			s, c := math.Sincos(r.angle(p, j))
			cos[p*half+j], sin[p*half+j] = float32(c*r.Factor), float32(s*r.Factor)
		}
	}
	return cos, sin, nil
}

// layerTypes reads which layers have a window. way says so of layer i where the config
// does not.
func (f *fields) layerTypes(c *Config, window int, way func(i int) bool) []string {
	var types []string
	if !f.get("layer_types", &types) {
		for i := range c.Layers {
			if window > 0 && way(i) {
				types = append(types, "sliding_attention")
			} else {
				types = append(types, "full_attention")
			}
		}
	}
	if len(types) != c.Layers {
		f.fail("layer_types lists %d of %d layers", len(types), c.Layers)
	}
	for i, t := range types {
		switch {
		case t == "full_attention":
			c.Window = append(c.Window, 0)
		case t == "sliding_attention" && window > 0:
			c.Window = append(c.Window, window)
		default:
			f.fail("layer %d is of type %q, with a window of %d", i, strings.ToValidUTF8(t, "?"), window)
		}
	}
	return types
}

// window reads the size of the windows, which is def where the entry is not there; 0, which
// null says, is none.
func (f *fields) window(name string, def int) int {
	if !f.has(name) {
		if _, null := f.raw[name]; null {
			return 0
		}
		return def
	}
	var x json.Number
	if f.get(name, &x) && x.String() == "-1" {
		return 0
	}
	return f.size(name, 0)
}
