package main

import (
	"strings"

	"pare/dataset"
	"pare/model/all"
	"pare/reproduce"
	"pare/zoo"

	"github.com/spf13/cobra"
)

// completer suggests words to the shell.
type completer = cobra.CompletionFunc

// words suggests fixed words, and files beside them where files may stand too.
func words(files bool, ws ...string) completer {
	return func(cmd *cobra.Command, a []string, to string) ([]string, cobra.ShellCompDirective) {
		if files {
			return ws, cobra.ShellCompDirectiveDefault
		}
		return ws, cobra.ShellCompDirectiveNoFileComp
	}
}

// first suggests for the first argument only.
func first(f completer) completer {
	return func(cmd *cobra.Command, a []string, to string) ([]string, cobra.ShellCompDirective) {
		if len(a) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return f(cmd, a, to)
	}
}

// methodWords lists the catalogue; claims: only what can be reproduced, by
// number too.
func methodWords(claims bool) []string {
	var out []string
	methods := everyMethod()
	if !claims {
		methods = methods[:len(all.List())]
	}
	for _, method := range methods {
		m := method.Card()
		if claims && reproduce.Find(m.Name) == nil {
			continue
		}
		out = append(out, m.Name+"\t"+m.Title)
		if claims {
			out = append(out, m.ID+"\t"+m.Title)
		}
	}
	return out
}

// archWords lists the networks of the zoo whose names need no number, and the
// usual ones of the others.
func archWords() []string {
	out := []string{"mlp:\tfully connected layers of the given sizes"}
	for _, f := range zoo.Families() {
		if !strings.Contains(f.Name, "<") {
			out = append(out, f.Name+"\t"+f.Doc)
		}
	}
	return append(out, "conv-2", "conv-4", "conv-6", "resnet20", "resnet32", "resnet56", "resnet110", "resnet20-b", "resnet50-imagenet", "wrn-16-4", "wrn-28-10", "vgg16-bn")
}

// complete adds suggestions to the arguments and flags of every command.
func complete(c *cobra.Command) {
	for _, s := range c.Commands() {
		complete(s)
	}
	switch c.Name() {
	case "methods":
		c.ValidArgsFunction = first(words(false, methodWords(false)...))
	case "reproduce":
		c.ValidArgsFunction = first(words(false, append(methodWords(true), "all")...))
	case "train", "compare":
		c.ValidArgsFunction = first(words(true, archWords()...))
	case "inspect", "prune", "eval", "bench", "advise", "convert":
		c.ValidArgsFunction = first(words(true))
	case "quickstart", "pare":
		c.ValidArgsFunction = words(false)
	}
	for flag, f := range map[string]completer{
		"method":   words(false, methodWords(false)...),
		"methods":  words(false, methodWords(false)...),
		"contrast": words(false, contrastNames()...),
		"schedule": words(false, "constant", "cosine", "linear", "step:0.5,0.75", "wsd"),
		"pattern":  words(false, "2:4", "1:4", "block:4x4"),
		"data":     words(true, dataset.Kinds()...),
	} {
		if c.Flags().Lookup(flag) != nil {
			c.RegisterFlagCompletionFunc(flag, f) //nolint:errcheck // the flag is there
		}
	}
}
