package catalog

import "strings"

// Nearest is the word that x was probably meant to be, "" where none is near: the
// least number of letters changed or swapped, at most a third of the word's, or the only
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

// distance is how many letters are put in, left out or changed, or two beside each
// other swapped (Damerau and Levenshtein's, of words that nothing is changed in twice).
func distance(a, b string) int {
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			d := row[j]
			if a[i] != b[j] {
				d++
			}
			next[j+1] = min(d, next[j]+1, row[j+1]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
