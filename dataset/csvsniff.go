package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// dialect is how a CSV file is written.
type dialect struct {
	sep  rune
	skip int  // bytes before the first line
	cr   bool // lines end in CR alone
}

// separators in the order in which they are preferred: a comma may be a decimal
// mark.
var separators = []byte{'\t', ';', '|', ','}

// sepOf reads the option sep.
func sepOf(name string) (rune, error) {
	switch name {
	case "", "auto":
		return 0, nil
	case "tab", "\t", `\t`:
		return '\t', nil
	case ",", ";", "|":
		return rune(name[0]), nil
	case "comma":
		return ',', nil
	case "semicolon":
		return ';', nil
	}
	return 0, fmt.Errorf("option sep=%s: use comma, semicolon, tab or | ", name)
}

// notText says what a file is that is no text of bytes, from its start; nil: it
// may be one.
func notText(b []byte) error {
	for magic, what := range map[string]string{"PK\x03\x04": "a zip file or an Excel workbook", "BZh": "packed by bzip2", "\xfd7zXZ": "packed by xz", "\x28\xb5\x2f\xfd": "packed by zstd", "PAR1": "a Parquet file", "\xd0\xcf\x11\xe0": "an old Excel workbook"} {
		if bytes.HasPrefix(b, []byte(magic)) {
			return fmt.Errorf("it is %s, not text: unpack it, or save it as text", what)
		}
	}
	if bytes.HasPrefix(b, []byte{0xff, 0xfe}) || bytes.HasPrefix(b, []byte{0xfe, 0xff}) || bytes.IndexByte(b[:min(len(b), 4096)], 0) >= 0 {
		return errors.New("it holds UTF-16 (or zero bytes), not UTF-8: save it as UTF-8")
	}
	return nil
}

// sniff finds the dialect from the start of a file.
func sniff(b []byte, sep rune) (dialect, error) {
	d := dialect{sep: sep}
	if err := notText(b); err != nil {
		return d, err
	}
	if bytes.HasPrefix(b, []byte("\xef\xbb\xbf")) {
		d.skip, b = 3, b[3:]
	}
	d.cr = bytes.IndexByte(b, '\n') < 0 && bytes.IndexByte(b, '\r') >= 0
	if len(b) > 5 && strings.EqualFold(string(b[:4]), "sep=") && (b[5] == '\r' || b[5] == '\n') {
		if s, err := sepOf(string(b[4:5])); err == nil { // Excel's own line
			d.skip += 5
			if b = b[5:]; d.sep == 0 {
				d.sep = s
			}
		}
	}
	if d.sep == 0 {
		d.sep = rune(separator(b, d.cr))
	}
	return d, nil
}

// separator is what divides every line of a start into as many columns.
func separator(b []byte, cr bool) byte {
	end := byte('\n')
	if cr {
		end = '\r'
	}
	var counts [][256]int // of lines
	var line [256]int
	quoted, start := false, true
	comment := false
	for i, c := range b {
		switch {
		case c == end && !quoted:
			if !start && !comment {
				counts = append(counts, line)
			}
			line, start, comment = [256]int{}, true, false
			continue
		case c == '\r':
			continue
		case start && c == '#':
			comment = true
		case c == '"' && !comment:
			quoted = !quoted
		case !quoted:
			line[c]++
		}
		if start = false; i == len(b)-1 && !comment && len(counts) == 0 {
			counts = append(counts, line)
		}
		if len(counts) == 64 {
			break
		}
	}
	if len(counts) == 0 {
		return ','
	}
	same := func(s byte) bool { // a header may lack the name of the rows
		n := counts[len(counts)-1][s]
		for i, l := range counts {
			if l[s] != n && (i > 0 || l[s] != n-1) {
				return false
			}
		}
		return n > 0
	}
	best, most := byte(','), 0
	for _, s := range separators[:3] {
		if n := counts[len(counts)-1][s]; same(s) && n > most {
			best, most = s, n
		}
	}
	if best != ',' && (!same(',') || counts[len(counts)-1][','] <= most+1) || best == ',' && same(',') {
		return best
	}
	if same(',') {
		return ','
	}
	for _, s := range separators {
		if n := counts[0][s]; n > most || n == most && n > 0 && s == ',' {
			best, most = s, n
		}
	}
	return best
}

// lines passes a CSV file on and refuses lines that are too long; a field in
// quotes may hold several.
type lines struct {
	r        io.Reader
	n        int
	quoted   bool
	cr       bool // CR ends a line
	comment  bool
	comments int // lines that begin with #
}

// Read implements io.Reader.
func (l *lines) Read(b []byte) (int, error) {
	n, err := l.r.Read(b)
	for i, c := range b[:n] {
		if l.cr && c == '\r' {
			b[i], c = '\n', '\n'
		}
		switch {
		case c == '#' && l.n == 0:
			l.comments++
			l.comment = true
		case c == '"' && !l.comment:
			l.quoted = !l.quoted
		case c == '\n' && !l.quoted:
			l.n, l.comment = -1, false
		}
		if l.n++; l.n > maxLine {
			return 0, fmt.Errorf("a line is longer than %d bytes", maxLine)
		}
	}
	return n, err
}
