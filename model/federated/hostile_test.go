package federated

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"pare/internal/modeltest"
	"pare/model"
	"pare/prune"
	"pare/train"
)

// Whatever a client sends in the place of its update, it is left out, the reason is named,
// and the others come to what they come to where it does not answer at all.
func TestHostile(t *testing.T) {
	nan := float32(math.NaN())
	run := func(spoil func(f *federation, u *Update) []byte) ([]byte, *Facts) {
		s, j := small(t)
		f, err := s.prepare(j)
		if err != nil {
			t.Fatal(err)
		}
		f.server.link = linkFunc(func(ctx context.Context, k int, b []byte) ([]byte, error) {
			answer, err := f.clients.Ask(ctx, k, b)
			if k != 1 || err != nil || answer[0] != kindUpdate {
				return answer, err
			}
			if spoil == nil {
				return nil, errors.New("gone")
			}
			u, err := ReadUpdate(answer, &f.server.net.Layout, f.server.masks)
			if err != nil {
				t.Fatal(err)
			}
			return spoil(f, u), nil
		})
		res, err := f.run(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return modeltest.Bits(res.Graph), res.Facts.(*Facts)
	}
	want, _ := run(nil)
	for name, c := range map[string]struct {
		why   string
		spoil func(f *federation, u *Update)
	}{
		"NaN in a weight":      {"has a NaN", func(_ *federation, u *Update) { u.Model.Values[0][0] = nan }},
		"infinity in a bias":   {"has a NaN or infinity", func(_ *federation, u *Update) { u.Model.Dense[0][0] = float32(math.Inf(1)) }},
		"NaN in a mean":        {"not finite", func(_ *federation, u *Update) { u.Model.Norms[0].Mean[0] = nan }},
		"negative variance":    {"negative", func(_ *federation, u *Update) { u.Model.Norms[1].Var[2] = -1 }},
		"NaN loss":             {"the loss is NaN", func(_ *federation, u *Update) { u.Loss = math.NaN() }},
		"a weight too many":    {"are expected", func(_ *federation, u *Update) { u.Model.Values[1] = append(u.Model.Values[1], 1) }},
		"a weight too few":     {"are expected", func(_ *federation, u *Update) { u.Model.Values[1] = u.Model.Values[1][1:] }},
		"no values":            {"an update has values", func(_ *federation, u *Update) { u.Model.Values = nil }},
		"masks of its own":     {"no masks of its own", func(f *federation, u *Update) { u.Model.Masks = f.server.masks }},
		"a normalisation less": {"normalisations", func(_ *federation, u *Update) { u.Model.Norms = u.Model.Norms[1:] }},
		"gradients unasked for": {"", func(f *federation, u *Update) {
			u.Grow = append([]Gradients{{Layer: 0, Index: []int{0}, Value: []float32{1}}}, u.Grow...)
		}},
		"NaN gradient": {"", spoilPairs(func(g *Gradients, _ *prune.Mask) { g.Value[0] = nan })},
		"a pair too many": {"", spoilPairs(func(g *Gradients, m *prune.Mask) {
			g.Index, g.Value = nil, nil
			for i := range m.Len {
				if !m.Kept(i) {
					g.Index, g.Value = append(g.Index, i), append(g.Value, 1)
				}
			}
		})},
		"an index repeated": {"", spoilPairs(func(g *Gradients, _ *prune.Mask) { g.Index[len(g.Index)-1] = g.Index[0] - 1 })},
		"a foreign index":   {"", spoilPairs(func(g *Gradients, m *prune.Mask) { g.Index[len(g.Index)-1] = m.Len })},
		"a kept index": {"", spoilPairs(func(g *Gradients, m *prune.Mask) {
			g.Index, g.Value = nil, []float32{1}
			for i := range m.Len {
				if m.Kept(i) && g.Index == nil {
					g.Index = []int{i}
				}
			}
		})},
	} {
		got, facts := run(func(f *federation, u *Update) []byte { c.spoil(f, u); return Marshal(u) })
		for _, r := range facts.Rounds {
			spoilt := c.why != "" || len(r.Adjusted) > 0 || name == "gradients unasked for"
			if spoilt && (len(r.Out) != 1 || r.Out[0].Client != 2 || !strings.Contains(r.Out[0].Why, c.why)) {
				t.Errorf("%s: round %d: %+v", name, r.Round, r.Out)
			}
		}
		if c.why != "" && !bytes.Equal(got, want) {
			t.Errorf("%s: another network than without the client", name)
		}
	}
	for _, rubbish := range [][]byte{nil, {}, {kindUpdate}, []byte("HTTP/1.1 502"), bytes.Repeat([]byte{255}, 100)} {
		if got, facts := run(func(*federation, *Update) []byte { return rubbish }); !bytes.Equal(got, want) || len(facts.Rounds[0].Out) != 1 {
			t.Errorf("%q: %+v", rubbish, facts.Rounds[0])
		}
	}
}

// spoilPairs changes the pairs of the first layer that has any.
func spoilPairs(change func(g *Gradients, m *prune.Mask)) func(f *federation, u *Update) {
	return func(f *federation, u *Update) {
		if len(u.Grow) > 0 {
			change(&u.Grow[0], f.server.masks[u.Grow[0].Layer])
		}
	}
}

// A round that nobody answers leaves the network as it is; lost answers are told.
func TestDropOuts(t *testing.T) {
	s, j := small(t)
	s.DropOuts = .5
	res := modeltest.Run(t, s, j)
	f := res.Facts.(*Facts)
	lost := 0
	for _, r := range f.Rounds {
		if lost += len(r.Out); r.Clients+len(r.Out) != 3 {
			t.Errorf("%+v", r)
		}
	}
	if lost < 3 || lost > 15 || !strings.Contains(modeltest.Said(res), "left out") {
		t.Errorf("%d answers of 18 are lost: %s", lost, modeltest.Said(res))
	}
	s, j = small(t)
	k, err := s.prepare(j)
	if err != nil {
		t.Fatal(err)
	}
	k.server.link = linkFunc(func(ctx context.Context, c int, b []byte) ([]byte, error) {
		answer, err := k.clients.Ask(ctx, c, b)
		if err == nil && answer[0] == kindUpdate {
			return nil, errors.New("gone")
		}
		return answer, err
	})
	if res, err = k.run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if f := res.Facts.(*Facts); f.Rounds[5].Clients != 0 || len(f.Rounds[5].Out) != 3 {
		t.Errorf("%+v", f.Rounds[5])
	}
}

// Messages read back as they were written; masks take the shorter form.
func TestMessages(t *testing.T) {
	l := &Layout{Sparse: []Tensor{{"a", 70}, {"b", 2000}}, Dense: []Tensor{{"c", 3}}, Norms: []Tensor{{"n", 2}}}
	half, few := prune.NewMask(70, false), prune.NewMask(2000, false)
	for i := 0; i < 70; i += 2 {
		half.Set(i, true)
	}
	few.Set(0, true)
	few.Set(1999, true)
	masks := []*prune.Mask{half, few}
	m := &Model{Masks: masks, Values: [][]float32{make([]float32, 35), {1, -2}}, Dense: [][]float32{{3, 4, 5}}, Norms: []train.Moments{{Mean: []float32{1, 2}, Var: []float32{3, 4}}}}
	b := &Broadcast{Ask: AskTraining, Round: 300, Model: m, Grow: []Quota{{1, 20}}}
	back, err := ReadBroadcast(Marshal(b), l, nil)
	if err != nil || !reflect.DeepEqual(back, b) {
		t.Errorf("%+v, %v", back, err)
	}
	// 1 kind, 1 what, 2 round, 1 parts; 1+9 bits; 1+1+1+2 gaps; 1+140, 1+8, 1+12; 1 + 2(1+8); 1+1+1
	if n := len(Marshal(b)); n != 5+10+5+141+9+13+19+3 {
		t.Errorf("%d bytes", n)
	}
	n := *m
	n.Masks = nil
	if _, err := ReadBroadcast(Marshal(&Broadcast{Ask: AskTraining, Model: &n}), l, nil); err == nil {
		t.Error("values without masks are taken")
	}
	u := &Update{Loss: 2.5, Model: &n, Grow: []Gradients{{1, []int{1, 5, 1998}, []float32{1, 2, 3}}}}
	if back, err := ReadUpdate(Marshal(u), l, masks); err != nil || !reflect.DeepEqual(back, u) {
		t.Errorf("%+v, %v", back, err)
	}
	whole := Marshal(u)
	for n := range whole {
		if _, err := ReadUpdate(whole[:n], l, masks); err == nil {
			t.Errorf("%d bytes of %d are taken", n, len(whole))
		}
	}
	if _, err := ReadUpdate(append(whole, 0), l, masks); err == nil {
		t.Error("a byte too many is taken")
	}
}

// Bytes are counted as they are sent, and masks are sent where they changed alone.
func TestBytes(t *testing.T) {
	s, j := small(t)
	s.Every = 2
	f, err := s.prepare(j)
	if err != nil {
		t.Fatal(err)
	}
	down, up := make([]int64, 3), make([]int64, 3)
	var sizes []int
	f.server.link = linkFunc(func(ctx context.Context, k int, b []byte) ([]byte, error) {
		answer, err := f.clients.Ask(ctx, k, b)
		if down[k], up[k] = down[k]+int64(len(b)), up[k]+int64(len(answer)); k == 0 && answer[0] == kindUpdate {
			sizes = append(sizes, len(b))
		}
		return answer, err
	})
	res, err := f.run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	facts := res.Facts.(*Facts)
	for k, c := range facts.Of {
		if c.Down != down[k] || c.Up != up[k] || c.MACs <= 0 || c.MACs >= c.Whole || c.Rounds != 6 {
			t.Errorf("client %d: %+v, want %d and %d bytes", k, c, down[k], up[k])
		}
	}
	// masks go out with round 1 (chosen of the pool), and 3 and 5, behind adjustments
	if !(sizes[2] > sizes[3] && sizes[4] > sizes[5] && sizes[2] > sizes[5]) {
		t.Errorf("broadcasts of %v bytes", sizes)
	}
	if d := facts.Device; d.Bytes >= d.DenseBytes || d.MACs >= d.DenseMACs || d.Message >= d.Whole || d.Buffer <= 0 {
		t.Errorf("%+v", d)
	}
}

// A run that was stopped goes on with what clients held, and counts the same bytes.
func TestResumes(t *testing.T) {
	for _, mask := range []string{"adaptive", "local"} {
		modeltest.Resumes(t, mask, func() (m model.Method, j *model.Job) {
			s, j := small(t)
			s.Mask, s.Proxy, s.Pre, s.PerRound, s.Clip = mask, .2, 2, 2, .5
			return s, j
		}, 0, 3, 18, 31)
	}
}

func FuzzUpdate(f *testing.F) {
	l := &Layout{Sparse: []Tensor{{"a", 70}, {"b", 9}}, Dense: []Tensor{{"c", 3}}, Norms: []Tensor{{"n", 2}}}
	m := []*prune.Mask{prune.NewMask(70, true), prune.NewMask(9, false)}
	u := &Update{Model: &Model{Values: [][]float32{make([]float32, 70), {}}, Dense: [][]float32{{1, 2, 3}}, Norms: []train.Moments{{Mean: []float32{1, 2}, Var: []float32{3, 4}}}}, Grow: []Gradients{{1, []int{1, 5}, []float32{1, 2}}}}
	f.Add(Marshal(u))
	f.Add(Marshal(&Broadcast{Ask: AskTraining, Round: 1, Model: &Model{Masks: m, Values: u.Model.Values, Dense: u.Model.Dense, Norms: u.Model.Norms}, Grow: []Quota{{1, 3}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if u, err := ReadUpdate(b, l, m); err == nil {
			if err := checkUpdate(l, u, m, []Quota{{1, 9}}); err == nil {
				if _, err := json.Marshal(u.Model.Values); err != nil {
					t.Errorf("what was checked is not finite: %v", err)
				}
			}
			if again, err := ReadUpdate(Marshal(u), l, m); err != nil || len(again.Grow) != len(u.Grow) {
				t.Errorf("it does not read back: %v", err)
			}
		}
		ReadBroadcast(b, l, nil) //nolint:errcheck // it does not panic
		ReadStatistics(b, l)     //nolint:errcheck // as well
		ReadLoss(b)              //nolint:errcheck // as well
	})
}
