package dataset

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// missing are words for a value that is not there, as pandas reads them.
var missing = map[string]bool{"": true, "na": true, "n/a": true, "#n/a": true, "<na>": true, "nan": true, "-nan": true, "null": true, "none": true, "#na": true, "?": true}

// targets are names of a column of classes.
var targets = []string{"label", "labels", "class", "classes", "target", "targets", "category", "y"}

func isNumber(w string) bool {
	_, err := strconv.ParseFloat(w, 64)
	if err != nil && strings.Count(w, ",") == 1 && !strings.Contains(w, ".") {
		_, err = strconv.ParseFloat(strings.Replace(w, ",", ".", 1), 64)
	}
	return err == nil
}

func trimmed(rec []string) []string {
	out := make([]string, len(rec))
	for i, w := range rec {
		out[i] = strings.Clone(strings.TrimSpace(w))
	}
	return out
}

// layout finds from the first two lines whether the first is a header, which
// column is the class and which are left out.
func (c *csvReader) layout(first, second []string) (header bool, err error) {
	rows := len(second) == len(first)+1 && second[len(first)] != "" && !slices.ContainsFunc(first, isNumber)
	if rows {
		c.say("the header has one name fewer than the rows have columns: the first column is taken for names of the rows and left out")
		first = append([]string{""}, first...)
	}
	if c.width = len(first); c.width < 2 {
		return false, fmt.Errorf("fewer than two columns when lines are divided at %q: a sample needs values and a class; sep= names another separator", c.sep)
	}
	switch c.header {
	case "yes", "no":
		header = c.header == "yes"
	default:
		if header, err = c.isHeader(first, second); err != nil {
			return false, err
		}
		if header {
			c.say("the first line is taken for a header (header=no: it is a sample)")
		}
	}
	if header {
		c.columns = first
	}
	if c.like != nil {
		return header, c.follows(c.like)
	}
	c.drop = make([]bool, c.width)
	if c.drop[0] = rows; !rows && header && c.width > 2 && (first[0] == "" || strings.EqualFold(first[0], "Unnamed: 0")) {
		c.drop[0] = true
		c.say("the first column has no name: it is taken for numbers of the rows and left out")
	}
	if n := c.width - 1; c.width > 2 && first[n] == "" && (second == nil || len(second) == c.width && second[n] == "") {
		c.drop[n], c.hollow = true, true
		c.say("lines end in a separator: the empty last column is left out")
	}
	for _, w := range c.skip {
		k, err := c.column(w)
		if err != nil {
			return false, fmt.Errorf("skip=%s: %w", w, err)
		}
		c.drop[k] = true
	}
	if err := c.target(); err != nil {
		return false, err
	}
	if c.drop[c.col] {
		return false, fmt.Errorf("column %s is that of the class and is to be left out", c.where(c.col))
	}
	for _, d := range c.drop {
		if !d {
			c.values++
		}
	}
	if c.values--; c.values < 1 {
		return false, errors.New("no columns of values are left: a sample needs values and a class")
	}
	return header, nil
}

// isHeader tells a header from a sample: names over numbers, or the numbers of
// the columns, as pandas writes them.
func (c *csvReader) isHeader(first, second []string) (bool, error) {
	label := len(first) - 1
	switch k, err := strconv.Atoi(c.label); {
	case c.like != nil:
		label = c.like.col
	case c.label == "first":
		label = 0
	case err == nil && k >= 0 && k < len(first):
		label = k
	case c.label != "" && c.label != "last": // a name
		return true, nil
	}
	texts, words, over, broken, inARow := 0, 0, false, false, true
	start, next := -1.0, -1.0
	for i, w := range first {
		v, err := strconv.ParseFloat(w, 64)
		broken = broken || err == nil && v != math.Trunc(v)
		if i == label {
			continue
		}
		if !isNumber(w) {
			texts++
			if w == "" || !missing[strings.ToLower(w)] {
				words++
			}
			over = over || w != "" && !missing[strings.ToLower(w)] && i < len(second) && isNumber(second[i])
			inARow = false
			continue
		}
		if next < 0 {
			start, next = v, v
		}
		inARow = inARow && v == next
		next++
	}
	values := len(first) - 1
	if texts == values {
		return words > 0, nil
	}
	if over && !broken {
		return true, nil
	}
	named := !isNumber(first[label]) && len(second) == len(first)
	if inARow && values > 3 && (start == 0 || named && start == 1) && !consecutive(second, label) {
		return true, nil
	}
	if named && (isNumber(second[label]) || inARow && start == 0 && values > 1) && !missing[strings.ToLower(first[label])] && texts == 0 {
		return false, fmt.Errorf("line 1 has %q where the next has %s, over numbers: header=yes if line 1 is a header, header=no if it is a sample", clip(first[label], 40), clip(second[label], 40))
	}
	return false, nil
}

// consecutive tells whether values count up by one.
func consecutive(rec []string, label int) bool {
	last := math.NaN()
	for i, w := range rec {
		v, err := strconv.ParseFloat(w, 64)
		if i == label {
			continue
		}
		if err != nil || !math.IsNaN(last) && v != last+1 {
			return false
		}
		last = v
	}
	return len(rec) > 0
}

// column is the number of a column that is named, or numbered from 0.
func (c *csvReader) column(name string) (int, error) {
	found := -1
	for i, w := range c.columns {
		if w != name {
			continue
		}
		if found >= 0 {
			return 0, fmt.Errorf("columns %d and %d are both named %q", found, i, clip(name, 40))
		}
		found = i
	}
	if found >= 0 {
		return found, nil
	}
	if k, err := strconv.Atoi(name); err == nil && k >= 0 && k < c.width {
		return k, nil
	}
	if c.columns == nil {
		return 0, fmt.Errorf("there is no column %q among %d, which have no names", clip(name, 40), c.width)
	}
	return 0, fmt.Errorf("there is no column %q among %d%s: they are %s", clip(name, 40), c.width, meant(name, c.columns), few(c.columns))
}

// target finds the column of the class.
func (c *csvReader) target() error {
	first, last := 0, c.width-1
	for first < last && c.drop[first] {
		first++
	}
	for last > first && c.drop[last] {
		last--
	}
	switch c.label {
	case "first":
		c.col = first
		return nil
	case "last":
		c.col = last
		return nil
	case "":
	default:
		var err error
		c.col, err = c.column(c.label)
		return err
	}
	c.col = last
	var named []int
	for i, w := range c.columns {
		if !c.drop[i] && slices.Contains(targets, strings.ToLower(strings.TrimLeft(w, "# "))) {
			named = append(named, i)
		}
	}
	if len(named) == 1 {
		c.col = named[0]
	} else if len(named) > 1 && !slices.Contains(named, last) {
		return fmt.Errorf("columns %s and %s could each be the class: label= names it", c.where(named[0]), c.where(named[1]))
	}
	how := "the last"
	if c.col != last {
		how = "by its name"
	}
	c.say("the class is column %s, %s (label= names another)", c.where(c.col), how)
	return nil
}

// where names a column, counted from 0 as in options.
func (c *csvReader) where(i int) string {
	if i < len(c.columns) && c.columns[i] != "" {
		return fmt.Sprintf("%d (%q)", i, clip(c.columns[i], 40))
	}
	return fmt.Sprint(i)
}

// follows takes the columns of another file, and refuses names that are not the
// same.
func (c *csvReader) follows(o *csvReader) error {
	if c.width != o.width {
		return fmt.Errorf("it has %d columns, the training file %d", c.width, o.width)
	}
	if c.columns != nil && o.columns != nil && !slices.Equal(c.columns, o.columns) {
		for i, w := range c.columns {
			if w != o.columns[i] {
				return fmt.Errorf("column %d is named %q, in the training file %q: the columns must be the same, in the same order", i, clip(w, 40), clip(o.columns[i], 40))
			}
		}
	}
	c.col, c.drop, c.values, c.hollow = o.col, o.drop, o.values, o.hollow
	return nil
}
