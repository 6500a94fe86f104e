package federated

import (
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"pare/catalog"
	"pare/dataset"
)

// leastShard is the number of samples that every client has at least, where there are
// enough: batch normalisation needs more than one.
const leastShard = 10

// Split divides a set among clients. With concentration 0 every client gets as many
// samples, drawn at random (IID); else the samples of each class are divided in shares
// drawn from a symmetric Dirichlet distribution of that concentration (Hsu, Qi, Brown
// 2019, arXiv 1909.06335): the smaller, the more clients differ. No shard is empty: each
// has 10 samples, or as many as there are for all, taken from the largest if need be. It
// returns an error where there are fewer than 2 samples for each client, or a sample has
// not exactly one class.
func Split(s *dataset.Set, clients int, concentration float64, seed uint64) ([]*dataset.Set, error) {
	n := s.Len()
	if n < 2*clients {
		return nil, catalog.Errorf("{Clients} %d: the training set has %d samples, and each client needs 2 at least", clients, n)
	}
	r := rand.New(rand.NewPCG(seed, 0xfed))
	var parts [][]int32
	if concentration == 0 {
		parts = evenly(s, clients, r)
	} else {
		y := s.Class()
		if y == nil || y.Size() != 1 || !y.Held() {
			return nil, catalog.Errorf("{Dirichlet} %v: shards are drawn by the class of each sample, and samples have not one class each: give {Dirichlet} 0 for shards that are alike", concentration)
		}
		parts = byClass(s, clients, concentration, r)
	}
	fill(parts, min(leastShard, n/clients))
	out := make([]*dataset.Set, clients)
	for k, p := range parts {
		var err error
		if out[k], err = s.Pick(p); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// evenly deals the samples out in a random order.
func evenly(s *dataset.Set, clients int, r *rand.Rand) [][]int32 {
	parts := make([][]int32, clients)
	for i, k := range r.Perm(s.Len()) {
		parts[i%clients] = append(parts[i%clients], int32(s.Number(k)))
	}
	return parts
}

// byClass divides the samples of each class by shares of its own.
func byClass(s *dataset.Set, clients int, concentration float64, r *rand.Rand) [][]int32 {
	of := map[int32][]int32{}
	for _, i := range r.Perm(s.Len()) {
		of[s.Label(i)] = append(of[s.Label(i)], int32(s.Number(i)))
	}
	var classes []int32
	for c := range of {
		classes = append(classes, c)
	}
	slices.Sort(classes)
	parts := make([][]int32, clients)
	gamma := distuv.Gamma{Alpha: concentration, Beta: 1, Src: r}
	for _, c := range classes {
		share, sum := make([]float64, clients), 0.0
		for k := range share {
			share[k] = gamma.Rand()
			sum += share[k]
		}
		if sum == 0 { // every draw was too small for a number: one has all
			share[r.IntN(clients)], sum = 1, 1
		}
		at, upTo, n := 0, 0.0, len(of[c])
		for k := range share {
			upTo += share[k] / sum
			end := min(n, int(upTo*float64(n)+.5))
			if k == clients-1 {
				end = n
			}
			parts[k] = append(parts[k], of[c][at:end]...)
			at = end
		}
	}
	return parts
}

// fill brings every part to a number of samples, taken from the largest.
func fill(parts [][]int32, least int) {
	for k := range parts {
		for len(parts[k]) < least {
			big := 0
			for i := range parts {
				if len(parts[i]) > len(parts[big]) {
					big = i
				}
			}
			last := len(parts[big]) - 1
			parts[k] = append(parts[k], parts[big][last])
			parts[big] = parts[big][:last]
		}
	}
}
