package job

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// OutputName stands in braces for the path of a job's output.
const OutputName = "output"

// Check returns an error where a job names what cannot be.
func (j *Job) Check() error {
	switch {
	case !IsID(j.ID):
		return fmt.Errorf("a job's ID is of letters, digits and ._-, not %.120q", j.ID)
	case len(j.Args) == 0:
		return fmt.Errorf("job %s has no command", j.ID)
	case j.Output != "" && !IsBase(j.Output):
		return fmt.Errorf("job %s: the output %.120q is no name of a file", j.ID, j.Output)
	case j.Threads < 0 || j.Until < 0:
		return fmt.Errorf("job %s: %d threads and a pause after %d epochs cannot be", j.ID, j.Threads, j.Until)
	}
	seen := map[string]bool{OutputName: true}
	for i := range j.Files {
		f := &j.Files[i]
		if !ids.MatchString(f.Name) || seen[f.Name] {
			return fmt.Errorf("job %s: the file %.120q has no name of its own, of letters, digits and ._-", j.ID, f.Name)
		}
		seen[f.Name] = true
	}
	return nil
}

// IsBase says whether a name is that of a file in a folder, which nothing takes for more.
func IsBase(name string) bool {
	return name != "" && name[0] != '.' && name[0] != '-' && len(name) <= 200 && filepath.Base(name) == name &&
		!strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || strings.ContainsRune(`/\:?,*"<>|`, r) })
}

// Line is the command line of a job: its arguments with the paths of files and output, and
// its threads.
func (j *Job) Line(path func(*File) string, output string) ([]string, error) {
	var pairs []string
	for i := range j.Files {
		pairs = append(pairs, "{"+j.Files[i].Name+"}", path(&j.Files[i]))
	}
	if j.Output != "" {
		pairs = append(pairs, "{"+OutputName+"}", output)
	}
	r := strings.NewReplacer(pairs...)
	out := make([]string, len(j.Args))
	for i, a := range j.Args {
		out[i] = r.Replace(a)
	}
	if j.Threads == 0 {
		return out, nil
	}
	at := slices.Index(out, "--")
	if at < 0 {
		at = len(out)
	}
	return slices.Insert(out, at, fmt.Sprintf("--threads=%d", j.Threads)), nil
}
