package sweep

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"pare/catalog"
	"pare/run/job"
)

// Inputs are the files behind the words of a sweep.
type Inputs struct {
	Data   string     // as a command names it, with the names of Files in braces for their paths
	Files  []job.File // of the data
	Digest string     // of the samples
	Tested bool       // they have a test set

	// Model gives the file of a model, which for an architecture is made by a seed.
	Model func(name string, seed uint64) (*job.File, error)
}

// member is one run: a combination with a seed.
type member struct {
	*Config
	seed uint64
	job  *job.Job
}

// members are the runs of combinations, seed after seed, so that a table of few seeds is
// soon there.
func (s *Sweep) members(cs []*Config, in *Inputs, threads int) ([]*member, error) {
	type input struct {
		name string
		seed uint64
	}
	files := map[input]*job.File{}
	var out []*member
	for _, seed := range s.Seeds {
		for _, c := range cs {
			k := input{c.Model, seed}
			if files[k] == nil {
				f, err := in.Model(c.Model, seed)
				if err != nil {
					return nil, err
				}
				g := *f
				g.Name = "model"
				files[k] = &g
			}
			out = append(out, &member{c, seed, s.jobOf(c, seed, files[k], in, threads)})
		}
	}
	return out, nil
}

// Output is the name of a run's network.
const Output = "net.onnx"

// jobOf is the job of a run.
func (s *Sweep) jobOf(c *Config, seed uint64, model *job.File, in *Inputs, threads int) *job.Job {
	j := &job.Job{Files: append([]job.File{*model}, in.Files...), Output: Output, Threads: threads}
	if c.of.Name == Dense {
		j.Args = []string{"model", "train", "{model}"}
	} else {
		j.Args = []string{"model", "prune", "{model}", "--method", c.spec()}
	}
	j.Args = append(j.Args, "-o", "{"+job.OutputName+"}", "--data", in.Data, fmt.Sprintf("--seed=%d", seed), "--no-bench")
	rs := slices.Concat(c.fixed, c.Recipe)
	slices.SortFunc(rs, func(a, b catalog.Assignment) int { return strings.Compare(a.Name, b.Name) })
	for _, a := range rs {
		j.Args = append(j.Args, "--"+a.Name+"="+a.Value)
	}
	h := sha256.New()
	fmt.Fprintf(h, "%q %s %s", j.Args, model.SHA256, in.Digest)
	word := strings.Trim(unsafe.ReplaceAllString(c.of.Name, "-"), "-.")
	j.ID = fmt.Sprintf("%.40s-%s", word, hex.EncodeToString(h.Sum(nil))[:12])
	return j
}

// unsafe is what an ID has no place for.
var unsafe = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

// spec is the method with all that it is given.
func (c *Config) spec() string {
	var b strings.Builder
	b.WriteString(c.of.Name)
	sets := slices.Concat(c.of.Fixed, c.Settings)
	if c.Budget.Name != "" {
		sets = append(sets, c.Budget)
	}
	for _, a := range sets {
		b.WriteString(":" + a.Name + "=" + a.Value)
	}
	return b.String()
}

// varied are the values of what a combination varies, by name: settings of a method with
// it, as "gmp every".
func (c *Config) varied(s *Sweep) map[string]string {
	out := map[string]string{}
	if len(s.Models) > 1 {
		out["model"] = c.Model
	}
	if len(s.Methods) > 1 {
		out["method"] = c.Method
	}
	for _, a := range c.Settings {
		out[c.Method+" "+a.Name] = a.Value
	}
	if c.Budget.Name != "" {
		out[c.Budget.Name] = c.Budget.Value
	}
	for _, a := range c.Recipe {
		out[a.Name] = a.Value
	}
	return out
}
