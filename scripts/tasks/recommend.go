package main

import (
	"context"
	"math"
	"math/rand/v2"
	"path/filepath"

	"pare/npy"
	"pare/tensor"
	"pare/zoo"
)

const (
	users, items = 2000, 600
	tastes       = 3 // latent factors
)

var recommendTask = task{"recommend", "recommendation: the rating that a user gives an item, as Parquet", func(s settings) (*made, error) {
	net, err := zoo.New("ncf-32", zoo.Options{Tables: []int{users, items}, Seed: s.seed})
	if err != nil {
		return nil, err
	}
	m := &made{
		nets: []network{{"net.onnx", named(net, nil, []string{"predicted"})}},
		about: "Ratings from 1 to 5 of users by tastes that items meet more or less; few items get most of the ratings. No\n" +
			"pair of user and item comes twice.",
		fields: []field{{"user", "from 0 to 1999"}, {"item", "from 0 to 599"}, {"rating", "from 1 to 5"}},
		write: func(_ context.Context, dir string, sp split) error {
			type row struct {
				User   int64   `parquet:"user"`
				Item   int64   `parquet:"item"`
				Rating float32 `parquet:"rating"`
			}
			rows := make([]row, sp.size())
			for i := range rows {
				rows[i] = row{tensor.Of[int64](sp.array("user"))[i], tensor.Of[int64](sp.array("item"))[i], sp.array("rating").F32()[i]}
			}
			return writeParquet(filepath.Join(dir, sp.name+".parquet"), rows)
		},
	}
	w := newMarket(s.rand("recommend", "market", 0))
	r := s.rand("recommend", "ratings", 0)
	m.split(s, 120000, 10000, 10000, func(_ string, n int) []npy.Array {
		u, i, y := tensor.New(tensor.Int64, n), tensor.New(tensor.Int64, n), tensor.New(tensor.Float32, n, 1)
		for k := range n {
			a, b := w.draw(r)
			tensor.Of[int64](u)[k], tensor.Of[int64](i)[k], y.F32()[k] = int64(a), int64(b), w.rate(r, a, b)
		}
		return []npy.Array{{Name: "user", Tensor: u}, {Name: "item", Tensor: i}, {Name: "rating", Tensor: y}}
	})
	return m, nil
}}

// market is users and items with their tastes.
type market struct {
	user [users][tastes + 1]float64 // the last is how kind a user is
	item [items][tastes + 1]float64 // the last is how good an item is
	seen map[[2]int]bool
}

func newMarket(r *rand.Rand) *market {
	w := &market{seen: map[[2]int]bool{}}
	for i := range w.user {
		for k := range w.user[i] {
			w.user[i][k] = r.NormFloat64()
		}
	}
	for i := range w.item {
		for k := range w.item[i] {
			w.item[i][k] = r.NormFloat64()
		}
	}
	return w
}

// draw finds a pair that has not been: item i comes up about as 1/(i+30)
// (Zipf-Mandelbrot).
func (w *market) draw(r *rand.Rand) (user, item int) {
	for {
		user = r.IntN(users)
		item = int(30*math.Pow(float64(items+30)/30, r.Float64())) - 30
		if p := [2]int{user, item}; !w.seen[p] {
			w.seen[p] = true
			return user, item
		}
	}
}

// rate is the rating that a user gives.
func (w *market) rate(r *rand.Rand, user, item int) float32 {
	u, i := &w.user[user], &w.item[item]
	v := 3.3 + .35*u[tastes] + .45*i[tastes] + .2*r.NormFloat64()
	for k := range tastes {
		v += .4 * u[k] * i[k]
	}
	return float32(max(1, min(5, v)))
}
