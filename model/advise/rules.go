package advise

// Rule is a recommendation: where its conditions hold it stands in the advice, in the
// order of the table.
type Rule struct {
	Name   string
	Goals  []string    // that it is for; nil: any
	If     []Condition // all must hold; a fact that was not measured holds no condition
	Cites  string      // what was measured: {name} is a fact
	Why    string
	Source string
	Do     []string // arguments of pare model; {…} are those of filled; nil: a caution without a command
}

// Condition asks for a fact that is at least Min and below Below; a Below of 0 is no bound.
type Condition struct {
	Fact       string
	Min, Below float64
}

// The outputs and the data of a command, and how it wins back what the cut costs.
const (
	dense  = "{stem}-{rule}.onnx"
	sparse = "{stem}-{rule}.pare"
	repair = "{recover}"
)

// Rules is the table.
var Rules = []Rule{
	{"channels-within-the-goal", []string{"latency", "macs"}, []Condition{{Fact: "goal-macs"}},
		"{groups} groups of channels can be cut; the largest network within the goal has {goal-macs} of the multiply-accumulates and is worse by {goal-worse} before training",
		"channels that are gone make every runtime faster; zeros do not", "survey, universal and specific speed-up (arXiv 2308.06767); groups: arXiv 2301.12900",
		[]string{"prune", "{file}", "-o", dense, "--method", "channels", "{budget}", repair}},
	{"channels-within-the-energy", []string{"energy"}, []Condition{{Fact: "found-macs"}},
		"at {found-macs} of the multiply-accumulates the estimate of the energy is {found-energy} of the network's",
		"energy is estimated from operations and words from memory, and channels take both away", "Horowitz, ISSCC 2014, for the energy of operations; survey, universal speed-up (arXiv 2308.06767)",
		[]string{"prune", "{file}", "-o", dense, "--method", "channels", "--macs", "{macs}", repair}},
	{"sparse-file", []string{"bytes"}, []Condition{{Fact: "found-sparsity", Min: .01}},
		"with {found-sparsity} of the weights cut the sparse form takes {found-bytes}, the ONNX file {bytes}; the PQ index of the weights is {pq}",
		"where only storage counts single weights keep the most accuracy, and a sparse file leaves the zeros out", "survey, unstructured and structured (arXiv 2308.06767); global magnitude: arXiv 2209.14624",
		[]string{"prune", "{file}", "-o", sparse, "--method", "global-mp", "--sparsity", "{sparsity}", repair}},
	{"small-file-for-any-runtime", []string{"bytes"}, []Condition{{Fact: "goal-macs"}},
		"{groups} groups of channels can be cut; the largest network within the goal takes {goal-bytes} and is worse by {goal-worse} before training",
		"an ONNX file with fewer channels is small wherever it is read", "survey, universal speed-up (arXiv 2308.06767)",
		[]string{"prune", "{file}", "-o", dense, "--method", "channels", "{budget}", repair}},
	{"weights-within-the-drop", []string{"drop"}, []Condition{{Fact: "data", Min: 1}},
		"half of the most sensitive layer costs {most-sensitive}, of the one in the middle {median-sensitive}; four weights in five cost {weights-0.8-worse} before training",
		"the strongest cut within a drop is found by measuring", "global magnitude: arXiv 2209.14624",
		[]string{"prune", "{file}", "-o", sparse, "--method", "global-mp", "{budget}", repair}},
	{"zeros-in-this-engine", []string{"latency"}, []Condition{{Fact: "weights-0.9-time", Below: .9}},
		"with 90 % of the weights cut the network takes {weights-0.9-time} of the time in this engine",
		"this engine leaves zeros out; other runtimes multiply by them", "measured; survey, specific speed-up (arXiv 2308.06767)",
		[]string{"prune", "{file}", "-o", sparse, "--method", "global-mp", "{budget}", repair}},
	{"solve-in-place-of-training", []string{"latency", "macs", "bytes"}, []Condition{{Fact: "goal-macs"}, {Fact: "data", Min: 1}},
		"the cut costs {goal-worse} with nothing done after it",
		"what stays is solved for what the layers gave before: minutes, no labels", "post-training reconstruction: arXiv 1707.06168; survey, post-training pruning (arXiv 2308.06767)",
		[]string{"prune", "{file}", "-o", dense, "--method", "channels", "{budget}", "--data", "{data}", "--epochs", "0", "--recover", "solve"}},
	{"reconstruct-on-noise", []string{"latency", "macs", "bytes"}, []Condition{{Fact: "goal-macs"}, {Fact: "data", Below: .5}, {Fact: "takes-numbers", Min: 1}},
		"no data; the cut moves the outputs by {goal-worse} of their length with nothing done after it",
		"layers that read what goes are solved for what they gave before on noise; samples, which need no labels, do better: give --data", "OBSPA: arXiv 2403.18955",
		[]string{"prune", "{file}", "-o", dense, "--method", "obspa", "{budget}"}},
	{"heads-of-attention", []string{"latency", "macs"}, []Condition{{Fact: "attentions", Min: 1}, {Fact: "data", Min: 1}},
		"{attentions} attentions; half of the most sensitive layer costs {most-sensitive}, of the one in the middle {median-sensitive}",
		"many heads can go at little cost, and every runtime is faster without them", "Michel et al.: arXiv 1905.10650",
		[]string{"prune", "{file}", "-o", dense, "--method", "heads", "--heads", "0.3", repair}},
	{"reconstruct-attention", nil, []Condition{{Fact: "attentions", Min: 1}, {Fact: "data", Min: 1}},
		"{attentions} attentions, {params} parameters; half of the most sensitive layer costs {most-sensitive}",
		"large language models are cut layer by layer on samples, without training", "SparseGPT: arXiv 2301.00774; Wanda: arXiv 2306.11695",
		[]string{"prune", "{file}", "-o", sparse, "--method", "sparsegpt", "--sparsity", "0.5", "--data", "{data}", "--epochs", "0"}},
	{"weights-of-attention", []string{"bytes"}, []Condition{{Fact: "attentions", Min: 1}, {Fact: "data", Below: .5}},
		"{attentions} attentions, {params} parameters, and no data: half of the weights move the outputs by {weights-0.5-worse} of their length",
		"with samples, which need no labels, methods that look at what goes into layers keep more: give --data", "Wanda: arXiv 2306.11695; SparseGPT: arXiv 2301.00774", nil},
	{"gradual", nil, []Condition{{Fact: "epochs", Min: 20}, {Fact: "data", Min: 2}},
		"an epoch takes about {epoch}: the budget has room for {epochs}; the PQ index of the weights is {pq}",
		"a long budget suits a sparsity that rises while training", "gradual pruning: arXiv 1710.01878; survey, one-shot and iterative (arXiv 2308.06767)",
		[]string{"prune", "{file}", "-o", sparse, "--method", "gmp", "--sparsity", "{sparsity}", repair}},
	{"scales-made-small-first", []string{"latency", "macs"}, []Condition{{Fact: "batch-norms", Min: 1}, {Fact: "epochs", Min: 20}, {Fact: "data", Min: 2}},
		"{batch-norms} batch normalisations; an epoch takes about {epoch}: the budget has room for {epochs}",
		"with time to train, channels can be made small before they go", "network slimming: arXiv 1708.06519",
		[]string{"prune", "{file}", "-o", dense, "--method", "slimming", "{budget}", repair}},
	{"learn-when-to-stop", nil, []Condition{{Fact: "pq", Min: .3}, {Fact: "epochs", Min: 60}, {Fact: "data", Min: 2}},
		"the PQ index of the weights is {pq}, and the budget has room for {epochs} epochs",
		"uneven weights leave room: rounds cut what the index allows", "PQ index: arXiv 2302.05601",
		[]string{"prune", "{file}", "-o", sparse, "--method", "sap", "--rounds", "3", "--data", "{data}", "--epochs", "{third}"}},
	{"collapse", nil, []Condition{{Fact: "sparsity", Min: .95001}},
		"at a sparsity of {sparsity} the network is worse by {weights-0.95-worse} at 95 % already, before training",
		"beyond 95 % whole layers may go: keep a least share of each", "global-mp's threshold: arXiv 2209.14624; layer collapse: arXiv 2006.05467",
		[]string{"prune", "{file}", "-o", sparse, "--method", "global-mp", "--mt", "0.02", "--sparsity", "{sparsity}", repair}},
	{"unlike-layers", nil, []Condition{{Fact: "unlike", Min: 5}},
		"half of the most sensitive layer costs {most-sensitive}, of the one in the middle {median-sensitive}",
		"layers that suffer most can be kept whole: --exclude with their names, or --at-least with channels", "sensitivity by layer: arXiv 1608.08710", nil},
	{"little-to-cut", []string{"latency"}, []Condition{{Fact: "layer-time", Below: .5}},
		"layers with weights take {layer-time} of the time",
		"what is spent elsewhere is cut only where it shrinks with the channels", "measured", nil},
	{"already-sparse", nil, []Condition{{Fact: "zeros", Min: .3}},
		"{zeros} of the weights are zero already",
		"what was cut before counts towards a sparsity", "measured", nil},
	{"smallest-weights", nil, []Condition{{Fact: "data", Below: .5}},
		"with 50 % of the weights cut the outputs move by {weights-0.5-worse} of their length on random inputs",
		"without data the smallest weights are the safest guess; with any samples, labelled or not, more can be measured and won back", "global magnitude: arXiv 2209.14624; survey, data-free and data-driven (arXiv 2308.06767)",
		[]string{"prune", "{file}", "-o", sparse, "--method", "global-mp", "--sparsity", "0.5", repair}},
	{"always-compare", nil, []Condition{{Fact: "data", Min: 2}},
		"at a sparsity of {sparsity} magnitude alone is the bar; at 90 % it costs {weights-0.9-worse} before training",
		"simple magnitude is a strong baseline, and random pruning shows what pruning at all comes to", "survey, recommendations (arXiv 2308.06767); random: arXiv 2202.02643",
		[]string{"compare", "{file}", "-o", "{stem}-{rule}", "--methods", "global-mp,magnitude,random", "--sparsity", "{sparsity}", "--data", "{data}", "--epochs", "{least-epochs}"}},
}
