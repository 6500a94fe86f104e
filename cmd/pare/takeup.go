package main

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	runs "pare/run"
)

// takeUp puts the command line of a run in the place of one that names it: pare model
// prune --resume RUN. It does so before flags are parsed, as which there are depends on
// the method.
func (c *cli) takeUp() error {
	name, rest := c.resumes()
	if name == "" {
		return nil
	}
	words, extra, dir, wrong := besideResume(rest)
	if dir == "" {
		dir = cmp.Or(runsDefault(), runsFolder) // who names a run may have had some before
	}
	s, err := runs.NewStore(dir)
	if err != nil {
		return err
	}
	e, err := s.Find(name)
	if err != nil {
		return usage("--resume %s: %v\nSee: pare runs list", name, err)
	}
	if wrong != nil {
		return wrong
	}
	r := e.Record
	if words != r.Command {
		return usage("--resume %s is a run of pare %s, not of pare %s", e.Name, r.Command, words)
	}
	if e.Status == runs.Done {
		return usage("--resume %s is done: there is nothing to go on with\nSee: pare runs show %s", e.Name, e.Name)
	}
	if e.Status == runs.Running {
		return usage("--resume %s is running: a process is at work on it", e.Name)
	}
	if here, err := os.Getwd(); err == nil && here != r.Folder {
		if err := os.Chdir(r.Folder); err != nil {
			return usage("--resume %s was begun in another folder: %v", e.Name, err)
		}
		c.say("note: it goes on in %s, where it was begun", r.Folder)
	}
	at := slices.Index(r.Args, "--")
	if at < 0 {
		at = len(r.Args)
	}
	c.args = slices.Insert(slices.Clone(r.Args), at, extra...)
	c.rec.again = e
	return nil
}

// resumes gives the run that --resume names on the command line, and the other words; "":
// it names none.
func (c *cli) resumes() (name string, rest []string) {
	for i, a := range c.args {
		if a == "--" {
			break
		}
		if name, ok := strings.CutPrefix(a, "--resume="); ok {
			if _, err := strconv.ParseBool(name); err == nil { // the flag alone
				return "", nil
			}
			return name, slices.Concat(c.args[:i], c.args[i+1:])
		}
		if a != "--resume" || i+1 == len(c.args) {
			continue
		}
		if next := c.args[i+1]; c.isRun(next) {
			return next, slices.Concat(c.args[:i], c.args[i+2:])
		}
	}
	return "", nil
}

// isRun says whether the word after --resume is a run, and not the network of the command.
func (c *cli) isRun(word string) bool {
	if strings.HasPrefix(word, "-") || word == "" {
		return false
	}
	base := filepath.Base(word)
	if runs.IsName(base) || word == runs.Latest {
		return true
	}
	if _, err := os.Stat(word); err == nil {
		return false
	}
	for i, a := range c.args { // its store may stand behind it
		dir, ok := strings.CutPrefix(a, "--runs=")
		if a == "--runs" && i+1 < len(c.args) {
			dir, ok = c.args[i+1], true
		}
		if ok {
			return begins(dir, word)
		}
	}
	return begins(runsDefault(), word)
}

// begins says whether a word is the beginning or end of the name of a run of a store.
func begins(dir, word string) bool {
	s, err := runs.NewStore(dir)
	if err != nil || dir == "" {
		return false
	}
	ns, _ := s.Names()
	return slices.ContainsFunc(ns, func(n string) bool { return strings.HasPrefix(n, word) || strings.HasSuffix(n, word) })
}

// besideResume takes apart what stands beside --resume RUN: the words of the command, the
// folder of runs, and flags that decide nothing of what comes out.
func besideResume(args []string) (words string, extra []string, dir string, err error) {
	var ws []string
	for i := 0; i < len(args); i++ {
		name, value, has := strings.Cut(args[i], "=")
		switch name {
		case "--json":
			extra = append(extra, args[i])
			continue
		case "--runs", "--threads", "--memory":
			if !has {
				if i++; i == len(args) {
					return "", nil, "", usage("%s needs a value", name)
				}
				value = args[i]
			}
			if name == "--runs" {
				dir = value
			} else {
				extra = append(extra, name+"="+value)
			}
			continue
		}
		if strings.HasPrefix(name, "-") {
			return "", nil, "", usage("%s beside --resume RUN: a run goes on as it was begun; leave it out", name)
		}
		ws = append(ws, name)
	}
	return strings.Join(ws, " "), extra, dir, nil
}
