package dataset

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func treeOf(files ...string) *tree {
	t := newTree("set")
	for _, f := range files {
		t.files = append(t.files, leaf{path: strings.Split(f, "/"), show: f})
	}
	return t
}

func TestPairs(t *testing.T) {
	for name, c := range map[string]struct {
		files string
		want  string
		bad   string
	}{
		"plain":            {files: "images/b.jpg images/a.jpg masks/a.png masks/b.png", want: ":images/a.jpg=masks/a.png,images/b.jpg=masks/b.png"},
		"suffix, parts":    {files: "train/img/1.jpg train/gt/1_mask.png test/img/1.jpg test/gt/1_mask.png", want: "test:test/img/1.jpg=test/gt/1_mask.png train:train/img/1.jpg=train/gt/1_mask.png"},
		"parts inside":     {files: "images/training/x.jpg annotations/training/x.png images/validation/x.jpg annotations/validation/x.png", want: "train:images/training/x.jpg=annotations/training/x.png val:images/validation/x.jpg=annotations/validation/x.png"},
		"folders below":    {files: "images/rome/1.png images/bonn/1.png masks/rome/1.png masks/bonn/1.png", want: ":images/bonn/1.png=masks/bonn/1.png,images/rome/1.png=masks/rome/1.png"},
		"a mask is absent": {files: "images/a.jpg images/b.jpg masks/a.png", bad: "1 files have no other of their name"},
		"two of a name":    {files: "images/a.jpg images/a.png masks/a.png", bad: "are both for a"},
		"no masks":         {files: "images/a.jpg cat/a.jpg", bad: "1 pictures and 0 masks"},
	} {
		tr := treeOf(strings.Fields(c.files)...)
		got, err := tr.pairs()
		if c.bad != "" {
			if err == nil || !strings.Contains(err.Error(), c.bad) {
				t.Errorf("%s: %v, want something with %q", name, err, c.bad)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var parts []string
		for part, ps := range got {
			var s []string
			for _, p := range ps {
				s = append(s, tr.files[p.picture].show+"="+tr.files[p.mask].show)
			}
			parts = append(parts, fmt.Sprintf("%s:%s", part, strings.Join(s, ",")))
		}
		slices.Sort(parts)
		if s := strings.Join(parts, " "); s != c.want {
			t.Errorf("%s: %s, want %s", name, s, c.want)
		}
	}
}

func TestRowFiles(t *testing.T) {
	tr := treeOf("images/a.jpg", "images/b.png", "more/c.jpg", "more/a.jpg")
	for name, c := range map[string]struct {
		rows   string
		column int
		want   []int
		bad    string
	}{
		"paths":        {rows: "1;images/a.jpg 2;more/a.jpg", column: 1, want: []int{0, 3}},
		"names":        {rows: "b.png;3 c.jpg;4", want: []int{1, 2}},
		"no endings":   {rows: "b;3 c;4", want: []int{1, 2}},
		"other slash":  {rows: `.\images\b.png;3`, want: []int{1}},
		"ambiguous":    {rows: "b.png;1 a.jpg;2", bad: "more than one file"},
		"absent":       {rows: "b.png;1 d.jpg;2", bad: `names "d.jpg", which is not there (1 of 2 rows are)`},
		"no file":      {rows: "1;2", bad: "no column"},
		"short row":    {rows: "1;b.png 2", bad: "which is not there"},
		"out of it":    {rows: "../../b.png;1", bad: "no column"},
		"without rows": {bad: "no rows"},
	} {
		var rows [][]string
		for _, r := range strings.Fields(c.rows) {
			rows = append(rows, strings.Split(r, ";"))
		}
		column, files, err := tr.rowFiles(rows)
		if c.bad != "" {
			if err == nil || !strings.Contains(err.Error(), c.bad) {
				t.Errorf("%s: %v, want something with %q", name, err, c.bad)
			}
			continue
		}
		if err != nil || column != c.column || !slices.Equal(files, c.want) {
			t.Errorf("%s: column %d, files %v, %v", name, column, files, err)
		}
	}
}
