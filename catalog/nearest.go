package catalog

import "strings"

// Nearest is the word that x was probably meant to be, "" where none is near: the
// least number of letters changed, at most a third of the word's, or the only
// word that begins with x.
func Nearest(x string, words []string) string {
	best, least := "", 0
	var begins []string
	for _, w := range words {
		if x != "" && strings.HasPrefix(w, x) {
			begins = append(begins, w)
		}
		d := distance(x, w)
		if d <= max(1, len(w)/3) && (best == "" || d < least) {
			best, least = w, d
		}
	}
	if len(begins) == 1 {
		return begins[0]
	}
	return best
}

// distance is Levenshtein's: how many letters are put in, left out or changed.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := last
			if a[i] != b[j] {
				d++
			}
			last = row[j+1]
			row[j+1] = min(d, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
