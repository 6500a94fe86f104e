package model

// Tuned are the settings of methods that train the weights that stay, after the
// search for masks or channels.
type Tuned struct {
	Tune   int     `flag:"tune" range:"[0,)" doc:"epochs of training the weights that stay, after the search (0: none)"`
	TuneLR float64 `flag:"tune-lr" range:"(0,)" doc:"peak learning rate of that training"`
}

// Jobs are the tuning after a training by the recipe, like it but for epochs, rate and
// decay, and the two trainings as a series.
func (s Tuned) Jobs(j *Job, decay float64) (tune *Job, runs *Series) {
	k := *j
	k.Recipe.Epochs, k.Recipe.LR, k.Recipe.Decay = s.Tune, s.TuneLR, decay
	n := 1
	if s.Tune > 0 {
		n = 2
	}
	runs = j.NewSeries(n)
	runs.Steps = j.Steps() + k.Steps()
	return &k, runs
}
