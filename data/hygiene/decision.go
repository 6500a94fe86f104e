package hygiene

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Action is what becomes of a sample.
type Action string

// What can become of a sample: it stays, it is left out, or it gets another class.
const (
	Keep    Action = "keep"
	Drop    Action = "drop"
	Relabel Action = "relabel"
)

var actions = []Action{Keep, Drop, Relabel}

// Decision is a line of a file of decisions: what was found about a sample, and what is
// to become of it.
type Decision struct {
	ID     string  `json:"id"`              // SET:NUMBER, as Corpus.ID has it
	Found  string  `json:"found"`           // in words, several separated by ";"
	With   string  `json:"with,omitempty"`  // the sample that it is like
	Score  float64 `json:"score"`           // distance, or quality of the label
	Action Action  `json:"action"`          // keep, drop or relabel
	Label  string  `json:"label,omitempty"` // the new class, by name or number
	Line   int     `json:"-"`               // of the file
}

// Digests are what the sets were that decisions are about: dataset.Set.Digest by name.
type Digests map[string]string

// Digests are those of the sets.
func (c Corpus) Digests() Digests {
	out := Digests{}
	for _, s := range c {
		out[s.Name] = s.Digest()
	}
	return out
}

// head is the first line of a file of decisions: of a JSONL file the whole of it, of a
// CSV file after "# ".
type head struct {
	Decisions int     `json:"pare_decisions"` // version
	Digests   Digests `json:"digests"`
}

var columns = []string{"id", "found", "with", "score", "action", "label"}

// WriteCSV writes decisions as CSV: a line that names the data, the columns, and a line
// each.
func WriteCSV(w io.Writer, of Digests, ds []Decision) error {
	h, err := json.Marshal(head{1, of})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "# %s\n", h); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	out.Write(columns) //nolint:errcheck // Flush keeps it
	for _, d := range ds {
		out.Write([]string{d.ID, d.Found, d.With, strconv.FormatFloat(d.Score, 'g', 6, 64), string(d.Action), d.Label}) //nolint:errcheck // Flush keeps it
	}
	out.Flush()
	return out.Error()
}

// WriteJSONL writes decisions as JSON, one a line after a line that names the data.
func WriteJSONL(w io.Writer, of Digests, ds []Decision) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	if err := out.Encode(head{1, of}); err != nil {
		return err
	}
	for _, d := range ds {
		if err := out.Encode(d); err != nil {
			return err
		}
	}
	return nil
}

// Bounds of a file of decisions.
const (
	mostDecisions = 1 << 26 // lines
	mostLine      = 1 << 16 // bytes of a line
)

// ReadDecisions reads a file of decisions, CSV or JSONL, as a person may have edited it. It is an
// error, which names the line, where an id comes twice, an action is unknown, a relabelled
// sample gets no label, or a line does not hold what it should. Columns of CSV may have been moved or
// left out, but for id and action. The digests are nil where the file does not have them.
func ReadDecisions(r io.Reader) (Digests, []Decision, error) {
	in := bufio.NewReader(r)
	if b, err := in.Peek(3); err == nil && string(b) == "\xef\xbb\xbf" { // as spreadsheets write it
		in.Discard(3) //nolint:errcheck // they are there
	}
	first, err := in.Peek(1)
	if err != nil {
		return nil, nil, errors.New("the file of decisions is empty")
	}
	read := readCSV
	if first[0] == '{' {
		read = readJSONL
	}
	h, ds, err := read(in)
	if err != nil {
		return nil, nil, err
	}
	seen := map[string]int{}
	for i := range ds {
		d := &ds[i]
		d.ID = strings.TrimSpace(d.ID)
		d.Action = Action(strings.ToLower(strings.TrimSpace(string(d.Action))))
		if err := d.check(); err != nil {
			return nil, nil, fmt.Errorf("line %d: %w", d.Line, err)
		}
		if at, ok := seen[d.ID]; ok {
			return nil, nil, fmt.Errorf("line %d: sample %q has a decision already, in line %d", d.Line, d.ID, at)
		}
		seen[d.ID] = d.Line
	}
	return h, ds, nil
}

func (d *Decision) check() error {
	switch {
	case d.ID == "":
		return errors.New("there is no id")
	case !slices.Contains(actions, d.Action):
		return fmt.Errorf("action %q of sample %q: keep, drop or relabel is needed", d.Action, d.ID)
	case d.Action == Relabel && strings.TrimSpace(d.Label) == "":
		return fmt.Errorf("sample %q is to be relabelled, and there is no label", d.ID)
	}
	return nil
}

func readHead(b []byte) (Digests, error) {
	var h head
	if err := json.Unmarshal(b, &h); err != nil || h.Decisions == 0 {
		return nil, errors.New("line 1: this is no file of decisions")
	}
	if h.Decisions != 1 {
		return nil, fmt.Errorf("line 1: version %d of files of decisions is not known", h.Decisions)
	}
	return h.Digests, nil
}

func readJSONL(in *bufio.Reader) (Digests, []Decision, error) {
	var h Digests
	var out []Decision
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, mostLine)
	n := 0
	for lines.Scan() {
		n++
		b := bytes.TrimSpace(lines.Bytes())
		if len(b) == 0 {
			continue
		}
		if n == 1 && bytes.Contains(b, []byte(`"pare_decisions"`)) {
			var err error
			if h, err = readHead(b); err != nil {
				return nil, nil, err
			}
			continue
		}
		d := Decision{}
		dec := json.NewDecoder(bytes.NewReader(b))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&d); err != nil || dec.More() {
			if err == nil {
				err = errors.New("there is more than one value")
			}
			return nil, nil, fmt.Errorf("line %d: %w", n, err)
		}
		d.Line = n
		if out = append(out, d); len(out) > mostDecisions {
			return nil, nil, fmt.Errorf("there are more than %d decisions", mostDecisions)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, nil, fmt.Errorf("line %d: %w", n+1, err)
	}
	return h, out, nil
}

func readCSV(in *bufio.Reader) (h Digests, out []Decision, err error) {
	before := 0
	if b, _ := in.Peek(2); len(b) > 0 && (b[0] == '#' || string(b) == `"#`) {
		line, err := in.ReadString('\n')
		if err != nil && err != io.EOF || len(line) > mostLine {
			return nil, nil, errors.New("line 1: it is cut short or too long")
		}
		if h, err = readHead(unspread(line)); err != nil {
			return nil, nil, err
		}
		before = 1
	}
	r := csv.NewReader(in)
	r.ReuseRecord, r.TrimLeadingSpace = true, true
	names, err := r.Read()
	if err != nil {
		return nil, nil, errors.New("there is no line that names the columns: id,found,with,score,action,label")
	}
	at := map[string]int{}
	for i, n := range names {
		n = strings.ToLower(strings.TrimSpace(n))
		if _, twice := at[n]; twice && n != "" {
			return nil, nil, fmt.Errorf("line %d: column %q comes twice", before+1, n)
		}
		at[n] = i
	}
	for _, n := range []string{"id", "action"} {
		if _, ok := at[n]; !ok {
			return nil, nil, fmt.Errorf("line %d: there is no column %q", before+1, n)
		}
	}
	cell := func(rec []string, name string) string {
		if i, ok := at[name]; ok {
			return rec[i]
		}
		return ""
	}
	for {
		rec, err := r.Read()
		if err == io.EOF {
			return h, out, nil
		}
		var bad *csv.ParseError
		if errors.As(err, &bad) {
			return nil, nil, fmt.Errorf("line %d: %w", bad.Line+before, bad.Err)
		} else if err != nil {
			return nil, nil, err
		}
		line, _ := r.FieldPos(0)
		d := Decision{ID: cell(rec, "id"), Found: cell(rec, "found"), With: cell(rec, "with"), Action: Action(cell(rec, "action")), Label: cell(rec, "label"), Line: line + before}
		if text := strings.TrimSpace(cell(rec, "score")); text != "" {
			if d.Score, err = strconv.ParseFloat(text, 64); err != nil {
				return nil, nil, fmt.Errorf("line %d: score %q is no number", d.Line, text)
			}
		}
		if out = append(out, d); len(out) > mostDecisions {
			return nil, nil, fmt.Errorf("there are more than %d decisions", mostDecisions)
		}
	}
}

// unspread is the JSON of a CSV file's first line, which a spreadsheet may have put in
// quotes, with empty cells after it.
func unspread(line string) []byte {
	line = strings.TrimRight(strings.TrimSpace(line), ",;")
	if len(line) > 1 && line[0] == '"' && line[len(line)-1] == '"' {
		line = strings.ReplaceAll(line[1:len(line)-1], `""`, `"`)
	}
	return []byte(strings.TrimSpace(strings.TrimPrefix(line, "#")))
}
