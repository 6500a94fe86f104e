package objective

import "slices"

// Losses lists the losses in the order of their documentation.
func Losses() []*Loss {
	return []*Loss{
		CrossEntropy, NLL, MSEClasses,
		BCE, Dice, DiceClasses,
		MSE, L1, SmoothL1, Huber, Cosine,
		Triplet, Contrastive,
		NextToken, CTC,
		MatchKL, MatchMSE, MatchBCE, MatchCosine,
	}
}

// Names lists the names of the losses.
func Names() []string {
	var out []string
	for _, l := range Losses() {
		out = append(out, l.Name)
	}
	return out
}

// Lookup finds a loss by name, or nil.
func Lookup(name string) *Loss {
	all := Losses()
	if i := slices.IndexFunc(all, func(l *Loss) bool { return l.Name == name }); i >= 0 {
		return all[i]
	}
	return nil
}
