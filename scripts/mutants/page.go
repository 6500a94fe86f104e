package main

import (
	"fmt"
	"strings"

	"github.com/google/renameio/v2"
)

// savePage writes what came of mutants as a page of documentation.
func savePage(file string, results []*result, claims bool) error {
	return renameio.WriteFile(file, []byte(page(results, claims)), 0o644)
}

// page is a table for each method and piece, and what survived in front.
func page(results []*result, claims bool) string {
	var b strings.Builder
	tried := ""
	if claims {
		tried = ", and where they noticed nothing the experiment that puts the paper's claims to the test"
	}
	n := map[string]int{}
	for _, r := range results {
		n[r.word()]++
	}
	b.WriteString("# Methods broken on purpose\n\n<!-- Written by `go run ./scripts/mutants --page docs/mutants.md`; run the command instead of editing. -->\n\n")
	fmt.Fprintf(&b, "A test is worth what it notices. Each of these %d breakages was put into the code, one at a time, and the tests were run%s. %d are killed: what was run failed. %d survived, %d of them as argued.\n\n```\ngo run ./scripts/mutants\n```\n",
		len(results), tried, n[killed], n[survived]+n[argued], n[argued])
	if n[leftOut] > 0 {
		fmt.Fprintf(&b, "\n%d were left out for want of time.\n", n[leftOut])
	}
	if n[survived]+n[argued] > 0 {
		b.WriteString("\n## Survivors\n\n| mutant | breakage | what ran | argument |\n|---|---|---|---|\n")
		for _, r := range results {
			if w := r.word(); w == survived || w == argued {
				fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r.Name, cell(r.Breaks), cell(strings.Join(r.ran, ", ")), cell(r.Survives))
			}
		}
	}
	what := ""
	for _, r := range results {
		if r.what != what {
			what = r.what
			fmt.Fprintf(&b, "\n## %s\n\n| mutant | breakage | file | killed by |\n|---|---|---|---|\n", what)
		}
		by := r.by
		if by == "" {
			by = r.word()
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r.Name, cell(r.Breaks), r.File, cell(by))
	}
	return b.String()
}

// cell is text that a table of Markdown holds.
func cell(s string) string {
	return strings.NewReplacer("|", "\\|", "\n", " ", "<", "&lt;").Replace(s)
}
