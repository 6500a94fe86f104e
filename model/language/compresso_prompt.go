package language

import (
	_ "embed"

	"fmt"
	"io"
	"os"
	"strings"

	"pare/catalog"
	"pare/dataset"
	"pare/lm/family"
	"pare/model"
)

// CompressoPrompt is the text that stands before every instruction, unless another is given.
//
//go:embed compresso_prompt.txt
var CompressoPrompt string

// mostPrompt bounds a prompt, in bytes.
const mostPrompt = 1 << 16

// prompt gives the text that is to stand before every sample; empty: none is.
func (s *Compresso) prompt(d *dataset.Data) (string, error) {
	switch s.PromptFile {
	case "none":
		return "", nil
	case "":
		if !d.Instructed() {
			return "", nil
		}
		return CompressoPrompt, nil
	}
	f, err := os.Open(s.PromptFile)
	if err != nil {
		return "", catalog.Errorf("{PromptFile}: %v", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, mostPrompt+1))
	switch {
	case err != nil:
		return "", catalog.Errorf("{PromptFile}: %v", err)
	case len(b) > mostPrompt:
		return "", catalog.Errorf("{PromptFile} %s: a prompt has at most %d bytes", s.PromptFile, mostPrompt)
	case strings.TrimSpace(string(b)) == "":
		return "", catalog.Errorf("{PromptFile} %s is empty: none stands for no prompt", s.PromptFile)
	}
	return string(b), nil
}

// prompted gives a job's data with the prompt before every sample, and says so.
func (s *Compresso) prompted(j *model.Job, res *model.Result) (*dataset.Data, int, error) {
	text, err := s.prompt(j.Data)
	if err != nil {
		return nil, 0, err
	}
	if text == "" {
		if s.PromptFile != "none" {
			res.Note("no prompt stands before the samples, which are no instructions with responses: see {PromptFile}")
		}
		return j.Data, 0, nil
	}
	d, tokens, err := j.Data.Before(text)
	if err != nil {
		return nil, 0, catalog.Errorf("{PromptFile}: %v", err)
	}
	if most, n := family.Longest(j.Graph), d.Train.X().Size(); most > 0 && n > most {
		return nil, 0, catalog.Errorf("{PromptFile}: with its %d tokens samples have %d, and the model was made for texts of %d: give shorter samples, a shorter prompt, or none", tokens, n, most)
	}
	name := "the text of this method (pare model prune --help names it)"
	if s.PromptFile != "" {
		name = fmt.Sprintf("the text of %s", s.PromptFile)
	}
	res.Note("trained with a prompt of %d tokens before every sample, %s: put it before what is asked of the network, too; of the measures of the network before and after, those on samples without it say how it does without", tokens, name)
	return d, tokens, nil
}
