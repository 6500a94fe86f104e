package pare_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"pare"
	"pare/catalog"
	"pare/dataset"
	"pare/model"
	"pare/model/gradual"
	"pare/model/oneshot"
	"pare/model/structured"
	"pare/prune"
	"pare/prune/allocate"
	"pare/tensor"
	"pare/train"
	"pare/zoo"
)

// digitsNetwork is a small classifier of 8x8 images.
func digitsNetwork() *pare.Network {
	g, err := zoo.New("mlp:64-32-10", zoo.Options{In: []int{1, 8, 8}, Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	net, err := pare.New(g)
	if err != nil {
		log.Fatal(err)
	}
	return net
}

// digits is a small set of samples for it.
func digits() *dataset.Data {
	d, err := dataset.Open("digits?n=400&test_n=100")
	if err != nil {
		log.Fatal(err)
	}
	return d
}

// Load a file and run it on a batch.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "pare")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "net.onnx")
	if err := digitsNetwork().Save(path); err != nil {
		log.Fatal(err)
	}

	net, err := pare.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	s, err := net.Session(32)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	in := map[string]*tensor.Tensor{s.Inputs()[0].Name: tensor.New(tensor.Float32, 3, 1, 8, 8)}
	out := map[string]*tensor.Tensor{} // filled by the first call, written over by the next
	if err := s.Run(context.Background(), in, out); err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Inputs()[0], "->", out[s.Outputs()[0].Name].Shape)
	// Output: "input" float32[N 1 8 8] -> [3 10]
}

// Serve predictions to many requests at once: a session is safe for any number of
// goroutines.
func ExampleNetwork_Session() {
	session, err := digitsNetwork().Session(8)
	if err != nil {
		log.Fatal(err)
	}
	defer session.Close()
	input, output := session.Inputs()[0].Name, session.Outputs()[0].Name

	predict := func(w http.ResponseWriter, r *http.Request) {
		var pixels []float32
		if err := json.NewDecoder(r.Body).Decode(&pixels); err != nil || len(pixels) != 64 {
			http.Error(w, "64 numbers are needed", http.StatusBadRequest)
			return
		}
		out := map[string]*tensor.Tensor{}
		in := map[string]*tensor.Tensor{input: tensor.From(pixels, 1, 1, 8, 8)}
		if err := session.Run(r.Context(), in, out); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		json.NewEncoder(w).Encode(out[output].F32()) //nolint:errcheck // the client may have gone
	}

	server := httptest.NewServer(http.HandlerFunc(predict))
	defer server.Close()
	image, _ := json.Marshal(make([]float32, 64))
	var wg sync.WaitGroup
	answers := make([]int, 20)
	for i := range answers {
		wg.Go(func() {
			resp, err := http.Post(server.URL, "application/json", strings.NewReader(string(image)))
			if err != nil {
				log.Fatal(err)
			}
			defer resp.Body.Close()
			var scores []float32
			if err := json.NewDecoder(resp.Body).Decode(&scores); err != nil {
				log.Fatal(err)
			}
			answers[i] = len(scores)
		})
	}
	wg.Wait()
	fmt.Println(answers)
	// Output: [10 10 10 10 10 10 10 10 10 10 10 10 10 10 10 10 10 10 10 10]
}

// Prune without data: the smallest nine weights in ten go, or half of the
// computation, channel by channel.
func ExampleNetwork_Prune() {
	net := digitsNetwork()
	sparse, err := net.Prune(context.Background(), &oneshot.GlobalMP{Sparsity: .9}, pare.Options{})
	if err != nil {
		log.Fatal(err)
	}
	s, err := sparse.Network.Inspect()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d of %d weights are cut\n", prune.Total(sparse.Masks.Weights)-sparse.Masks.Count(), prune.Total(sparse.Masks.Weights))
	fmt.Printf("the sparse form is a quarter of the file or less: %v\n", s.Size.SparseBytes*4 <= s.Size.Bytes)

	m := structured.NewChannels()
	m.MACs = .5
	small, err := net.Prune(context.Background(), m, pare.Options{})
	if err != nil {
		log.Fatal(err)
	}
	before, _ := net.Inspect()
	after, _ := small.Network.Inspect()
	fmt.Printf("multiply-accumulates: %d of %d\n", after.Size.MACs, before.Size.MACs)
	// Output:
	// 2131 of 2368 weights are cut
	// the sparse form is a quarter of the file or less: true
	// multiply-accumulates: 1184 of 2368
}

// Train, then prune while the rest is trained on, and measure.
func ExampleNetwork_Prune_fineTune() {
	ctx, data := context.Background(), digits()
	recipe := model.Defaults()
	recipe.Epochs, recipe.Batch = 8, 20
	dense, _, err := digitsNetwork().Train(ctx, pare.Options{Data: data, Recipe: recipe})
	if err != nil {
		log.Fatal(err)
	}
	method := gradual.NewGMP()
	method.Sparsity, method.Every, method.End = .8, 5, train.Share(.5)
	sparse, err := dense.Prune(ctx, method, pare.Options{Data: data, Recipe: recipe})
	if err != nil {
		log.Fatal(err)
	}
	a, err := dense.Evaluate(ctx, data)
	if err != nil {
		log.Fatal(err)
	}
	b, err := sparse.Network.Evaluate(ctx, data)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("sparsity %.2f, as good to 5 points: %v\n", sparse.Masks.Sparsity(), b.Value() >= a.Value()-.05)
	// Output: sparsity 0.80, as good to 5 points: true
}

// Write a score in ten lines, and use it as a method's: here the magnitude of a weight
// over the mean of its output's.
func ExampleMethods_score() {
	relative := func(_ context.Context, _ *model.Job, ws []*prune.Weight) ([][]float32, error) {
		out := make([][]float32, len(ws))
		for l, w := range ws {
			out[l] = make([]float32, w.Len())
			rows, cols, at := w.Matrix()
			for r := range rows {
				sum := float32(0)
				for c := range cols {
					sum += max(w.Data()[at(r, c)], -w.Data()[at(r, c)])
				}
				for c := range cols {
					out[l][at(r, c)] = max(w.Data()[at(r, c)], -w.Data()[at(r, c)]) / sum
				}
			}
		}
		return out, nil
	}
	m := &oneshot.Ranked{Score: relative, Sparsity: .5, Allocate: allocate.Together}
	r, err := digitsNetwork().Prune(context.Background(), m, pare.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Masks.Count(), "weights stay")
	// Output: 1184 weights stay
}

// firstRows is a method in one file: it keeps the first outputs of every layer.
type firstRows struct {
	Keep float64 `flag:"keep" range:"(0,1]" doc:"share of the outputs that stays"`
	model.Layers
}

// Card describes the method.
func (*firstRows) Card() *catalog.Card {
	return &catalog.Card{Name: "first-rows", Noun: "model", Title: "The first outputs stay", Paper: "none", Doc: "An example.", Cuts: "weights", Needs: catalog.Weights}
}

// Run cuts and fine-tunes.
func (s *firstRows) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	ws, err := s.Weights(j.Graph)
	if err != nil {
		return nil, err
	}
	m := prune.Dense(ws)
	for l, w := range ws {
		rows, cols, at := w.Matrix()
		for r := int(s.Keep * float64(rows)); r < rows; r++ {
			for c := range cols {
				m.Mask[l].Set(at(r, c), false)
			}
		}
	}
	return j.CutAndTune(ctx, m)
}

// Write a method in one file: a struct of settings with a Card and a Run. What is out
// of its range is refused by the field's name.
func ExampleMethods_method() {
	net := digitsNetwork()
	r, err := net.Prune(context.Background(), &firstRows{Keep: .5}, pare.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("sparsity %.2f\n", r.Masks.Sparsity())
	_, err = net.Prune(context.Background(), &firstRows{Keep: 2}, pare.Options{})
	fmt.Println(err)
	// Output:
	// sparsity 0.50
	// method first-rows: Keep 2: a number in (0,1] is needed
}
