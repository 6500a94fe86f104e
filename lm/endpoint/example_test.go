package endpoint_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"

	"pare/internal/lmtest"
	"pare/lm"
	"pare/lm/endpoint"
	"pare/lm/serve"
)

// An endpoint within a budget, with what it says kept on disk.
func Example() {
	url, end := somewhere()
	defer end()
	dir, err := os.MkdirTemp("", "lm")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	client, err := endpoint.New(endpoint.Config{URL: url, Model: "words", Kind: endpoint.Pare}) // KeyFrom: "OPENAI_API_KEY"
	if err != nil {
		fmt.Println(err)
		return
	}
	budget, err := lm.OpenBudget(filepath.Join(dir, "budget"), lm.Limits{Calls: 100, Money: 0.50})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer budget.Close()
	paid, err := lm.WithBudget(client, budget, &lm.Price{Prompt: 0.40, Cached: 0.10, Completion: 1.60})
	if err != nil {
		fmt.Println(err)
		return
	}
	model, err := lm.WithCache(paid, filepath.Join(dir, "cache")) // around the budget: what is kept costs nothing
	if err != nil {
		fmt.Println(err)
		return
	}

	ask := lm.Request{
		Messages:  []lm.Message{{Role: lm.User, Text: "Where is the cat?"}},
		N:         2,
		MaxTokens: 16, Temperature: 0.7, Seed: new(int64(1)),
	}
	replies, err := lm.All(context.Background(), model, []lm.Request{ask, ask, ask})
	fmt.Println(len(replies), len(replies[0].Choices), err)
	fmt.Println("calls:", budget.Spent().Calls)
	// Output:
	// 3 2 <nil>
	// calls: 1
}

// How likely a text is after another, and what to do where an endpoint cannot say.
func ExampleClient_Score() {
	url, end := somewhere()
	defer end()
	for _, kind := range []string{endpoint.Pare, endpoint.OpenAI} {
		client, err := endpoint.New(endpoint.Config{URL: url, Model: "words", Kind: kind})
		if err != nil {
			fmt.Println(err)
			return
		}
		s, err := client.Score(context.Background(), lm.ScoreRequest{Prompt: "the cat", Text: " sat on"})
		if errors.Is(err, lm.Unsupported) {
			fmt.Println(err)
			continue
		}
		for _, t := range s.Tokens {
			fmt.Printf("%q at %d: %.2f\n", t.Text, t.Offset, t.Logprob)
		}
	}
	// Output:
	// " sat" at 0: -4.31
	// " on" at 4: -3.09
	// words: unsupported: it cannot score a given text: use a local model, or an endpoint that gives log-probabilities of prompts, such as vLLM's
}

// A reply piece by piece.
func ExampleClient_Stream() {
	url, end := somewhere()
	defer end()
	client, err := endpoint.New(endpoint.Config{URL: url, Model: "words"})
	if err != nil {
		fmt.Println(err)
		return
	}
	reply, err := client.Stream(context.Background(), lm.Request{Prompt: "the", MaxTokens: 5}, func(d lm.Delta) error {
		fmt.Printf("%q ", d.Text)
		return nil // an error ends the reply
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(reply.Choices[0].Finish)
	// Output: " and" "\n" "No" "\n" "No" "" length
}

// somewhere is an endpoint.
func somewhere() (url string, end func()) {
	h, err := serve.New(serve.Config{Models: []lm.Model{lmtest.NewFake("words")}})
	if err != nil {
		panic(err)
	}
	s := httptest.NewServer(h)
	return s.URL + "/v1", s.Close
}
