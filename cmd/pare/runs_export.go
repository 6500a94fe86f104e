package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	runs "pare/run"
	"pare/run/export"

	"github.com/spf13/cobra"
)

func (c *cli) exportRun() *cobra.Command {
	var to string
	var follow bool
	var forms, names []string
	for _, f := range export.Forms {
		forms = append(forms, fmt.Sprintf("  %-12s %s", f.Name, f.Doc))
		names = append(names, f.Name)
	}
	cmd := &cobra.Command{Use: "export RUN --to FORM DIR", Short: "Write a run's metrics as CSV, for TensorBoard or for MLflow", Args: args("RUN", "DIR"),
		Long:    "Writes the metrics of a run, and what else the form has room for, into a folder:\n\n" + strings.Join(forms, "\n") + "\n\nAn export of the same run that is there is replaced; nothing else is.",
		Example: "  pare runs export latest --to csv .\n  pare runs export latest --to tensorboard board --follow     # and beside it: tensorboard --logdir board\n  pare runs export 1f2e3d --to mlflow mlruns                   # mlflow ui --backend-store-uri mlruns",
		RunE:    func(cmd *cobra.Command, a []string) error { return c.runExport(cmd, a[0], a[1], to, follow) }}
	cmd.Flags().StringVar(&to, "to", "", "form: "+strings.Join(names, ", "))
	cmd.Flags().BoolVar(&follow, "follow", false, "with tensorboard: go on as the run's metrics come, until it ends")
	cmd.RegisterFlagCompletionFunc("to", words(false, names...)) //nolint:errcheck // the flag is there
	inSections(cmd)
	return cmd
}

func (c *cli) runExport(cmd *cobra.Command, name, dir, to string, follow bool) error {
	var form *export.Form
	var names []string
	for i := range export.Forms {
		names = append(names, export.Forms[i].Name)
		if export.Forms[i].Name == to {
			form = &export.Forms[i]
		}
	}
	switch {
	case form == nil:
		return usage("--to %s: %s is needed", to, strings.Join(names, ", "))
	case follow && to != "tensorboard":
		return usage("--follow is for --to tensorboard: another form is read as a whole")
	}
	s, err := c.kept(cmd)
	if err != nil {
		return err
	}
	e, err := c.found(s, name)
	if err != nil {
		return err
	}
	r, err := export.Read(e)
	if err != nil {
		return err
	}
	if err := c.folder("to", dir); err != nil {
		return err
	}
	if follow {
		return c.follow(dir, r)
	}
	path, err := form.Write(dir, r)
	if err != nil {
		return err
	}
	return c.exported(e, path, len(r.Points))
}

// exported says what was written.
func (c *cli) exported(e *runs.Entry, path string, points int) error {
	if c.json {
		return c.printJSON(map[string]any{"run": e.Name, "path": path, "points": points})
	}
	fmt.Fprintf(c.out, "%s: %d points in %s\n", e.Name, points, path)
	return nil
}

// follow writes event files, and adds to them until the run ends.
func (c *cli) follow(dir string, r *export.Run) error {
	f, err := export.Follow(dir, r)
	if err != nil {
		return err
	}
	s := &runs.Store{Dir: filepath.Dir(r.Dir)}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for r.Status == runs.Running {
		select {
		case <-c.ctx.Done():
			return stopped("stopped; what came until now is written")
		case <-tick.C:
		}
		e, err := s.Entry(r.Name)
		if err != nil {
			return err
		}
		if r, err = export.Read(e); err != nil { // after its status, so that no point is left out
			return err
		}
		if err := f.Next(r); err != nil {
			return err
		}
	}
	return c.exported(r.Entry, filepath.Join(dir, r.Name), len(r.Points))
}
