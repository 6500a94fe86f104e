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
	r := s.Page(name, publicOrigin(from, q.data), rows, outs)
	if q.pair != nil {
		r.Add(q.pair.Section(q.pair.Effects(outs, q.sparsities), sweep.Scored(rows)))
	}
	r.Subtitle = q.command(name, s.Engine.Threads)
	return r
}

// publicOrigin says how a comparison was made without paths, for a page of documentation.
func publicOrigin(from *measure.Origin, data string) *measure.Origin {
	pub := *from
	pub.Command, pub.Data, pub.Files = "", pathless(data), slices.Clone(from.Files)
	for i := range pub.Files {
		pub.Files[i].Path = filepath.Base(pub.Files[i].Path)
	}
	return &pub
}

// told are the files that tell of a comparison.
type told struct{ html, page, plot string }

// files are those that are asked for, the page with so many plots beside it.
func (t *told) files(beside int) []file {
	out := []file{{"report", t.html, pages}, {"page", t.page, docPages}, {"plot", t.plot, plots}}
	if t.page == "" {
		return out
	}
	base := strings.TrimSuffix(t.page, filepath.Ext(t.page))
	for i := range beside {
		end := ".svg"
		if i > 0 {
			end = fmt.Sprintf("-%d.svg", i+1)
		}
		out = append(out, file{"page", base + end, plots})
	}
	return out
}

// write writes the files that were asked for, by a command.
func (t *told) write(command string, r, public *report.Report) error {
	if t.html != "" {
		if err := r.SaveHTML(t.html); err != nil {
			return err
		}
	}
	if t.plot != "" {
		plots := r.Sections[0].Plots
		if len(plots) == 0 {
			return fmt.Errorf("--plot %s: no run of a method ended well, so there is nothing to draw", t.plot)
		}
		if err := plots[0].SaveSVG(t.plot); err != nil {
			return err
		}
	}
	if t.page == "" {
		return nil
	}
	return public.SaveMarkdown(t.page, writtenBy(command))
}

// pathless is data without the paths of files.
func pathless(spec string) string {
	kind, path, ok := strings.Cut(spec, ":")
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

// settingWords are settings as words of a command line, but for those that are as good as
// not given, or of which without is true.
func settingWords(p any, without func(name string) bool) (out []string) {
	for _, x := range catalog.Settings(p) {
		switch v := x.String(); {
		case without(x.Name) || v == "0" || v == "false" || v == "":
		case v == "true":
			out = append(out, "--"+x.Name)
		default:
			out = append(out, "--"+x.Name, v)
		}
	}
	return out
}

// command is what makes the page again, without the paths of files.
func (q *comparison) command(name string, threads int) string {
	what := []string{"--methods", strings.Join(q.methods, ",")}
	if q.pair != nil {
		what = []string{"--contrast", q.pair.Name}
	}
	out := []string{"pare model compare", name, "--data", pathless(q.data), what[0], what[1], "--sparsity", strings.Join(q.sparsities, ","), fmt.Sprint("--seeds ", q.seeds)}
	out = append(out, settingWords(&q.recipe, func(string) bool { return false })...)
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
