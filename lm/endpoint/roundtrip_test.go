package endpoint_test

import (
	"context"
	"net/http/httptest"
	"reflect"
	"testing"

	"pare/internal/lmtest"
	"pare/lm"
	"pare/lm/endpoint"
	"pare/lm/serve"
)

var ctx = context.Background()

// served is a client of a server of models.
func served(t *testing.T, m lm.Model, c endpoint.Config) *endpoint.Client {
	t.Helper()
	h, err := serve.New(serve.Config{Models: []lm.Model{m}})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	c.URL, c.Model = s.URL+"/v1", m.Info().Name
	if c.Kind == "" {
		c.Kind = endpoint.Pare
	}
	client, err := endpoint.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// A model behind an endpoint is the same model.
func TestContract(t *testing.T) {
	lmtest.Contract(t, served(t, lmtest.NewFake("fake"), endpoint.Config{}))
}

// It meets what it says it can where the endpoint makes one sample a request, and
// scores by vLLM's form.
func TestContractOfKinds(t *testing.T) {
	for _, kind := range []string{endpoint.Compatible, endpoint.VLLM} {
		t.Run(kind, func(t *testing.T) { lmtest.Contract(t, served(t, lmtest.NewFake("fake"), endpoint.Config{Kind: kind})) })
	}
}

// Every reply is the same as without a network between, to the bit.
func TestRoundTrip(t *testing.T) {
	fake := lmtest.NewFake("fake")
	client := served(t, lmtest.NewFake("fake"), endpoint.Config{})
	chat := []lm.Message{{Role: lm.System, Text: "Be brief."}, {Role: lm.User, Text: "Where is the 猫?"}}
	for name, r := range map[string]lm.Request{
		"plain":     {Prompt: "the", MaxTokens: 10},
		"samples":   {Prompt: "the", N: 5, MaxTokens: 10, Temperature: 0.8, TopP: 0.9, Seed: new(int64(4))},
		"cuts":      {Prompt: "the", N: 3, MaxTokens: 10, Temperature: 1.5, TopK: 7, MinP: 0.05, RepetitionPenalty: 1.2, Seed: new(int64(-4))},
		"stop":      {Prompt: "the", MaxTokens: 20, Stop: []string{" sat", "x"}, Temperature: 1, Seed: new(int64(4)), Logprobs: true},
		"tokens":    {Prompt: "the 🙂", N: 2, MaxTokens: 10, Temperature: 1, Seed: new(int64(1)), Logprobs: true, Alternatives: 3},
		"chat":      {Messages: chat, N: 2, MaxTokens: 10, Temperature: 1, Seed: new(int64(1)), Logprobs: true, Alternatives: 5},
		"continued": {Messages: append(chat[:2:2], lm.Message{Role: lm.Assistant, Text: "It sat"}), Continue: true, MaxTokens: 5},
	} {
		want, err := fake.Generate(ctx, r)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := client.Generate(ctx, r); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v, not %+v", name, got, err, want)
		}
		var pieces lm.Reply
		got, err := client.Stream(ctx, r, func(d lm.Delta) error { pieces.Add(d); return nil })
		if err != nil || !reflect.DeepEqual(got, want) || !reflect.DeepEqual(pieces.Choices, want.Choices) {
			t.Errorf("%s: stream %+v, %v, not %+v", name, got, err, want)
		}
	}
	for name, r := range map[string]lm.ScoreRequest{
		"text":         {Prompt: "the cat", Text: " sat on é 🙂."},
		"alternatives": {Prompt: "the", Text: " cat sat", Alternatives: 3},
		"beginning":    {Text: "the cat"},
		"chat":         {Messages: chat, Text: " The naïve 猫 é"},
		"continued":    {Messages: append(chat[:2:2], lm.Message{Role: lm.Assistant, Text: "It"}), Continue: true, Text: " sat on 42"},
	} {
		want, err := fake.Score(ctx, r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := client.Score(ctx, r)
		if err != nil || !reflect.DeepEqual(got.Tokens, want.Tokens) {
			t.Errorf("%s: %+v, %v, not %+v", name, got, err, want)
		}
	}
	want, err := fake.Embed(ctx, lm.EmbedRequest{Texts: []string{"the cat", "x"}, Dimensions: 5})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := client.Embed(ctx, lm.EmbedRequest{Texts: []string{"the cat", "x"}, Dimensions: 5}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("vectors %v, %v, not %v", got, err, want)
	}
	if names, err := client.Models(ctx); err != nil || !reflect.DeepEqual(names, []string{"fake"}) {
		t.Errorf("models %v, %v", names, err)
	}
}

// refusing refuses to answer.
type refusing struct{ lm.Model }

func (refusing) Generate(context.Context, lm.Request) (*lm.Reply, error) {
	return &lm.Reply{Choices: []lm.Choice{{Text: "No.", Finish: lm.FinishRefusal}}, Usage: lm.Usage{Prompt: 3, Completion: 2}}, nil
}

// A refusal comes through a server as one, whole and in a stream.
func TestRefusalRoundTrip(t *testing.T) {
	client := served(t, refusing{lmtest.NewFake("fake")}, endpoint.Config{})
	r := lm.Request{Messages: []lm.Message{{Role: lm.User, Text: "?"}}}
	want, _ := refusing{}.Generate(ctx, r)
	if got, err := client.Generate(ctx, r); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := client.Stream(ctx, r, func(lm.Delta) error { return nil }); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("stream: %+v, %v", got, err)
	}
}
