// Package all names every method that pares training sets.
package all

import (
	"slices"

	"pare/catalog"
	"pare/data"
	"pare/data/coreset"
	"pare/data/score"
	"pare/data/transfer"
)

// List gives every method with its defaults: those that choose samples, then those that
// score them.
func List() []data.Method { return append(choosers(), scorers()...) }

func choosers() []data.Method {
	return []data.Method{coreset.NewRS2(), coreset.NewCCS(), coreset.NewRandom(), coreset.NewRank(), coreset.NewHerding(), coreset.NewKCentre(), coreset.NewQuantile(), transfer.NewLabelMapping(), transfer.NewFeatureMapping()}
}

func scorers() []data.Method {
	return []data.Method{
		score.NewPrototypes(), score.NewAUM(), score.NewForgetting(), score.NewEL2N(), score.NewGraNd(), score.NewLoss(), score.NewEntropy(), score.NewMargin(), score.NewLeastConfidence(), score.NewAUMThreshold(), score.NewMemorisation(), score.NewPerplexity(),
	}
}

// Scores says whether a method gives a score, not a subset.
func Scores(m data.Method) bool {
	return slices.ContainsFunc(scorers(), func(s data.Method) bool { return s.Card().Name == m.Card().Name })
}

// New gives a method by number or name with its defaults; the error suggests the nearest
// name.
func New(name string) (data.Method, error) { return catalog.Named(List(), name, "of data") }

// Parse reads a method with settings, such as "ccs:keep=0.1:cutoff=0.3" (see
// catalog.ParseSpec).
func Parse(text string) (data.Method, catalog.Spec, error) {
	return catalog.Parsed(List(), text, "of data")
}
