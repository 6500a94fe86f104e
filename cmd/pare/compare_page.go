package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"pare/catalog"
	"pare/measure"
	"pare/model/sweep"
	"pare/report"
)

// public is the page of documentation, which tells no paths.
func (q *comparison) public(s *sweep.Sweep, name string, from *measure.Origin, rows []*sweep.Row, outs []*sweep.Outcome) *report.Report {
	pub := *from
	pub.Command, pub.Data, pub.Files = "", q.dataName(), slices.Clone(from.Files)
	for i := range pub.Files {
		pub.Files[i].Path = filepath.Base(pub.Files[i].Path)
	}
	r := s.Page(name, &pub, rows, outs)
	if q.pair != nil {
		r.Add(q.pair.Section(q.pair.Effects(outs, q.sparsities), sweep.Scored(rows)))
	}
	r.Subtitle = q.command(name, s.Engine.Threads)
	return r
}

// write writes the files that were asked for.
func (q *comparison) write(r, public *report.Report) error {
	if q.html != "" {
		if err := r.SaveHTML(q.html); err != nil {
			return err
		}
	}
	if q.plot != "" {
		plots := r.Sections[0].Plots
		if len(plots) == 0 {
			return fmt.Errorf("--plot %s: no run of a method ended well, so there is nothing to draw", q.plot)
		}
		if err := plots[0].SaveSVG(q.plot); err != nil {
			return err
		}
	}
	if q.page == "" {
		return nil
	}
	return public.SaveMarkdown(q.page, writtenBy("pare model compare"))
}

// dataName is the data without the paths of files.
func (q *comparison) dataName() string {
	kind, path, ok := strings.Cut(q.data, ":")
	if ok {
		kind += ":"
		if _, opts, any := strings.Cut(path, "?"); any {
			kind += "…?" + opts
		} else {
			kind += "…"
		}
	}
	return kind
}

// command is what makes the page again, without the paths of files.
func (q *comparison) command(name string, threads int) string {
	what := []string{"--methods", strings.Join(q.methods, ",")}
	if q.pair != nil {
		what = []string{"--contrast", q.pair.Name}
	}
	out := []string{"pare model compare", name, "--data", q.dataName(), what[0], what[1], "--sparsity", strings.Join(q.sparsities, ","), fmt.Sprint("--seeds ", q.seeds)}
	for _, x := range catalog.Settings(&q.recipe) {
		switch v := x.String(); v {
		case "0", "false", "":
		case "true":
			out = append(out, "--"+x.Name)
		default:
			out = append(out, "--"+x.Name, v)
		}
	}
	if q.latencyCmd != "" {
		out = append(out, "--latency-cmd", measure.Quote(q.latencyCmd))
	}
	if threads > 0 {
		out = append(out, fmt.Sprint("--threads ", threads))
	}
	if q.jobs > 0 {
		out = append(out, fmt.Sprint("--jobs ", q.jobs))
	}
	return strings.Join(out, " ")
}
