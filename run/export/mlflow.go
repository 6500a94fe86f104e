package export

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"pare/run"
)

// MLflow's file store (mlflow/store/tracking/file_store.py): a folder for each experiment
// with a meta.yaml, below it one for each run with a meta.yaml, a file for each parameter
// and tag that holds its value, and a file for each metric with lines "milliseconds value
// step".

// experiment is the number of the experiment pare: MLflow's own are 0 and random ones of
// 18 digits.
const experiment = "112097114101000023"

// Numbers of mlflow.entities.RunStatus.
var mlflowStatus = map[run.Status]int{run.Running: 1, run.Done: 3, run.Failed: 4, run.Died: 4, run.Stopped: 5}

// local is mlflow.entities.SourceType.LOCAL.
const local = 4

// mostValue is the most characters of a parameter that MLflow takes.
const mostValue = 6000

func writeMLflow(dir string, r *Run) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	of := filepath.Join(abs, experiment)
	if err := os.MkdirAll(of, 0o755); err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(of, "meta.yaml")); err != nil {
		if err := write(filepath.Join(of, "meta.yaml"), yaml("artifact_location", "file://"+of, "creation_time", unix(r.Record.Began), "experiment_id", experiment,
			"last_update_time", unix(r.Record.Began), "lifecycle_stage", "active", "name", "pare")); err != nil {
			return "", err
		}
	}
	h := sha256.Sum256([]byte(r.Name))
	id := hex.EncodeToString(h[:16])
	path := filepath.Join(of, id)
	mine := func(dir string) bool {
		b, err := os.ReadFile(filepath.Join(dir, "tags", "pare.run"))
		return err == nil && string(b) == r.Name
	}
	return path, whole(path, mine, func(tmp string) error { return r.mlflowRun(tmp, id, path) })
}

// mlflowRun writes the folder of a run, which will be at path.
func (r *Run) mlflowRun(tmp, id, path string) error {
	x := r.Record
	var end any
	if !x.Ended.IsZero() {
		end = unix(x.Ended)
	}
	files := map[string][]byte{
		"meta.yaml": yaml("artifact_uri", "file://"+filepath.Join(path, "artifacts"), "end_time", end, "entry_point_name", "", "experiment_id", experiment, "lifecycle_stage", "active",
			"run_id", id, "run_name", r.Name, "run_uuid", id, "source_name", "", "source_type", local, "source_version", "", "start_time", unix(x.Began),
			"status", mlflowStatus[r.Status], "tags", []string{}, "user_id", "pare"),
	}
	add := func(kind, name, text string) {
		files[kind+"/"+name] = []byte(strings.ToValidUTF8(text[:min(len(text), mostValue)], ""))
	}
	add("tags", "pare.run", r.Name)
	add("tags", "mlflow.runName", r.Name)
	add("tags", "mlflow.source.type", "LOCAL")
	add("tags", "mlflow.source.name", "pare "+x.Command)
	for _, t := range r.Tags {
		add("tags", "pare.tag."+clean(t), "true")
	}
	add("params", "command", strings.Join(append([]string{"pare"}, x.Args...), " "))
	add("params", "method", strings.Join(x.Methods, ","))
	add("params", "seeds", strings.Trim(fmt.Sprint(x.Seeds), "[]"))
	add("params", "data", x.Data)
	for kind, m := range map[string]map[string]string{"setting": x.Settings, "recipe": x.Recipe} {
		for k, v := range m {
			add("params", kind+"."+clean(k), v)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(x.Values)) {
		add("metrics", "result."+clean(k), fmt.Sprintf("%d %s 0\n", max(1, unix(x.Ended)), number(x.Values[k])))
	}
	for _, p := range r.parts() {
		for _, q := range p.points {
			for _, v := range q.Values {
				at := filepath.ToSlash(filepath.Join("metrics", p.name, clean(v.Name)))
				files[at] = fmt.Appendf(files[at], "%d %s %d\n", unix(q.Time), number(v.X), q.Step)
			}
		}
	}
	for _, d := range []string{"artifacts", "metrics", "params", "tags"} {
		if err := os.MkdirAll(filepath.Join(tmp, d), 0o755); err != nil {
			return err
		}
	}
	for name, b := range files {
		to := filepath.Join(tmp, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(to, b, 0o644); err != nil {
			return err
		}
	}
	return r.artifacts(filepath.Join(tmp, "artifacts"))
}

// artifacts copies the record, the results and the report.
func (r *Run) artifacts(to string) error {
	for _, name := range []string{run.RecordFile, run.ResultsFile, run.ReportFile} {
		b, err := os.ReadFile(filepath.Join(r.Dir, name))
		if os.IsNotExist(err) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), b, 0o644)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func number(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

// yaml writes names and values, one after the other, as a flat YAML document.
func yaml(pairs ...any) []byte {
	var b []byte
	for i := 0; i+1 < len(pairs); i += 2 {
		switch v := pairs[i+1].(type) {
		case nil:
			b = fmt.Appendf(b, "%s: null\n", pairs[i])
		case string:
			b = fmt.Appendf(b, "%s: '%s'\n", pairs[i], strings.ReplaceAll(v, "'", "''"))
		default:
			b = fmt.Appendf(b, "%s: %v\n", pairs[i], v)
		}
	}
	return b
}
