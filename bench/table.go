package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"

	"pare/measure"
)

// table writes the rows as Markdown: a section a group, one line a work with
// its ratios on one and two threads.
func table(head string, rows []Row) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", head)
	var groups []string
	for _, r := range rows {
		if !slices.Contains(groups, r.Group) {
			groups = append(groups, r.Group)
		}
	}
	for _, group := range groups {
		fmt.Fprintf(&b, "\n**%s**\n\n| work | to reach | beside | Pare, 1 thread | ratio | Pare, 2 threads | ratio |\n|---|---|---|---|---|---|---|\n", group)
		seen := map[string]bool{}
		for _, r := range rows {
			if r.Group != group || seen[r.Name] {
				continue
			}
			seen[r.Name] = true
			fmt.Fprintf(&b, "| %s | %.2f | %s |", r.Name, r.Bar, r.Peer)
			for t := 1; t <= 2; t++ {
				fmt.Fprintf(&b, " %s |", cells(rows, r, t))
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// cells are the time and the ratio of a work on some threads.
func cells(rows []Row, of Row, threads int) string {
	for _, r := range rows {
		if r.Group != of.Group || r.Name != of.Name || r.Threads != threads {
			continue
		}
		switch {
		case r.Error != "":
			return "— | " + strings.ReplaceAll(r.Error, "|", "/")
		case r.Group == "peak memory":
			return fmt.Sprintf("%.0f MB | %s", r.Pare.Median/1e6, ratio(r.Ratio, r.Bar))
		case r.Group == "bytes on disk":
			return bytesOf(r.Pare.Median) + " | " + ratio(r.Ratio, r.Bar)
		}
		if r.Hop > far.Seconds() {
			return unit(r.Pare.Median) + " ‡ | " + ratio(r.Ratio, r.Bar)
		}
		return unit(r.Pare.Median) + " | " + ratio(r.Ratio, r.Bar)
	}
	return " | "
}

// ratio is set bold where it is below the bar.
func ratio(s measure.Spread, bar float64) string {
	text := fmt.Sprintf("%.2f", s.Median)
	if s.Half > 0 {
		text += fmt.Sprintf(" ± %.2f", s.Half)
	}
	if s.Median < bar {
		return "**" + text + "**"
	}
	return text
}

// putTable replaces what is between <!-- name --> and <!-- end name --> in a
// file.
func putTable(path, name, text string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	from, to := "<!-- "+name+" -->\n", "<!-- end "+name+" -->"
	i, j := bytes.Index(b, []byte(from)), bytes.Index(b, []byte(to))
	if i < 0 || j < i {
		return fmt.Errorf("%s has no place for the table %q: put %q and %q on lines of their own", path, name, strings.TrimSpace(from), to)
	}
	b = append(b[:i:i], append([]byte(from+text), b[j:]...)...)
	return os.WriteFile(path, b, 0o644)
}
