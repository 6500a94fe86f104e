package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"pare/model"
	"pare/model/all"
	"pare/onnx"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"
)

// frontHelp explains --front.
const frontHelp = "folder for the front of networks that the method finds: ONNX files as they were judged, not fine-tuned, front.json and front.svg (of methods that find one: emo)"

// claimFront checks, before any work, that a front is found and that the folder can take it.
func (c *cli) claimFront(dir string, force bool) error {
	if dir == "" {
		return nil
	}
	if _, ok := c.method.(model.Fronted); !ok {
		var names []string
		for _, m := range all.List() {
			if _, ok := m.(model.Fronted); ok {
				names = append(names, m.Card().Name)
			}
		}
		return usage("--front %s: method %s finds one network, not a front of them; methods that find a front: %s", dir, c.method.Card().Name, strings.Join(names, ", "))
	}
	if err := c.folder("front", dir); err != nil {
		return err
	}
	if err := c.take(filepath.Join(dir, "front.json")); err != nil {
		return err
	}
	if old := oldFront(dir); len(old) > 0 && !force {
		return usage("--front %s holds a front already (%s): give another folder, or --force to replace it", dir, filepath.Base(old[0]))
	}
	return nil
}

// oldFront lists the networks of a front in a folder.
func oldFront(dir string) []string {
	es, _ := os.ReadDir(dir)
	var out []string
	for _, e := range es {
		number, isOne := strings.CutPrefix(strings.TrimSuffix(e.Name(), ".onnx"), "front-")
		if i, err := strconv.Atoi(number); isOne && err == nil && e.Name() == model.FrontFile(i-1) {
			out = append(out, filepath.Join(dir, e.Name()))
		}
	}
	return out
}

// saveFront writes the networks of a front, what they are worth, and a plot.
func (c *cli) saveFront(cmd *cobra.Command, dir string, f *model.Front) error {
	if dir == "" {
		return nil
	}
	old := oldFront(dir)
	var said []model.FrontMember
	for i, m := range f.Members {
		g, err := f.Make(cmd.Context(), i)
		if cmd.Context().Err() != nil {
			return stopped("stopped while the front was written; %d of its %d networks are in %s", i, len(f.Members), dir)
		}
		if err != nil {
			return err
		}
		name := model.FrontFile(i)
		if err := onnx.Save(filepath.Join(dir, name), g, onnx.Options{}); err != nil {
			return err
		}
		m.File = name
		said = append(said, m)
	}
	for _, path := range old {
		if slices.ContainsFunc(said, func(m model.FrontMember) bool { return m.File == filepath.Base(path) }) {
			continue
		}
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	b, err := json.MarshalIndent(map[string]any{"loss": f.Loss, "networks": said}, "", "  ")
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(filepath.Join(dir, "front.json"), append(b, '\n'), 0o644); err != nil {
		return err
	}
	c.say("note: %d networks of the front are in %s, as they were judged; pare model train fine-tunes one", len(said), dir)
	return f.Plot().SaveSVG(filepath.Join(dir, "front.svg"))
}
