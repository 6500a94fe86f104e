// Package all is the catalogue of the methods that pare networks: the only package
// that names every one.
package all

import (
	"pare/catalog"
	"pare/model"
	"pare/model/atinit"
	"pare/model/calibrated"
	"pare/model/diagnose"
	"pare/model/federated"
	"pare/model/gradual"
	"pare/model/language"
	"pare/model/learned"
	"pare/model/oneshot"
	"pare/model/rewrite"
	"pare/model/search"
	"pare/model/structured"
	"pare/model/tickets"
)

// List gives every method with its defaults, in the order of their numbers, baselines
// last. The values are the caller's to change.
func List() []model.Method {
	return []model.Method{
		rewrite.NewShare(), structured.NewLayerLottery(), structured.NewLAPP(), structured.NewConsensus(), tickets.NewSAP(), structured.NewSPA(), search.NewEMO(), oneshot.NewGlobalMP(), tickets.NewLottery(), learned.NewBiP(), diagnose.NewScratch(),
		gradual.NewGraNet(), tickets.NewRewind(), search.NewTAS(), rewrite.NewTRP(), structured.NewPAGCP(), learned.NewJackpot(), language.NewAdaptPruner(), atinit.NewPreCrop(), federated.NewFedTiny(), language.NewPERP(), oneshot.NewRD(), diagnose.NewRegimes(), atinit.NewRandom(), language.NewCompresso(), structured.NewMaskSparsity(), structured.NewAdapters(), search.NewSuperTickets(), gradual.NewGMP(), gradual.NewSparsePretraining(),
		oneshot.NewMagnitude(), oneshot.NewLAMP(), calibrated.NewWanda(), calibrated.NewSparseGPT(), calibrated.NewRIA(), calibrated.NewDSnoT(), atinit.NewSNIP(), atinit.NewGraSP(), atinit.NewSynFlow(), learned.NewHydra(), learned.NewMovement(),
		gradual.NewRigL(), gradual.NewSET(), structured.NewChannels(), structured.NewOBSPA(), structured.NewSlimming(), structured.NewHeads(), structured.NewExperts(), language.NewFLAP(), language.NewSliceGPT(), rewrite.NewLowRank(),
	}
}

// New gives a method by number or name with its defaults; the error suggests the
// nearest name.
func New(name string) (model.Method, error) { return catalog.Named(List(), name, "") }

// Parse reads a method with settings, such as "gmp:every=50" (see catalog.ParseSpec).
func Parse(text string) (model.Method, catalog.Spec, error) { return catalog.Parsed(List(), text, "") }
