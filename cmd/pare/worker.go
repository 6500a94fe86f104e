package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pare/catalog"
	"pare/run/job"
	"pare/run/queue"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// joining is how a queue is reached.
type joining struct {
	access queue.Access
	token  string // file
}

func (q *joining) flags(f *pflag.FlagSet, nats string) {
	f.StringVar(&q.access.URL, "nats", "", nats)
	f.StringVar(&q.token, "token-file", "", "file of the secret that workers join with (default: the environment's PARE_TOKEN)")
	f.StringVar(&q.access.Creds, "creds", "", "file of a NATS credential (.creds), in place of a token")
	f.StringVar(&q.access.CA, "tls-ca", "", "certificates of the authorities that the queue's certificate may be of, a PEM file (default: the system's)")
	f.StringVar(&q.access.Cert, "tls-cert", "", "certificate of its own to join with, a PEM file")
	f.StringVar(&q.access.Key, "tls-key", "", "key of that certificate, a PEM file")
}

// given is the name of a flag that says how a queue is joined; "": there is none.
func (q *joining) given() string {
	for _, f := range []struct{ name, value string }{{"token-file", q.token}, {"creds", q.access.Creds}, {"tls-ca", q.access.CA}, {"tls-cert", q.access.Cert}, {"tls-key", q.access.Key}} {
		if f.value != "" {
			return f.name
		}
	}
	return ""
}

// settle reads the token, and checks what is given.
func (q *joining) settle() (err error) {
	if (q.access.Cert == "") != (q.access.Key == "") {
		return usage("--tls-cert and --tls-key go together")
	}
	if q.access.Token, err = secretOf(q.token); err != nil {
		return err
	}
	if err := q.access.Check(); err != nil {
		if errors.Is(err, queue.ErrAnonymous) {
			return usage("--nats: %v: give --token-file, --creds, or --tls-cert and --tls-key", err)
		}
		return usage("--nats: %v", err)
	}
	return nil
}

func (c *cli) worker() *cobra.Command {
	q, w := &joining{}, &queue.Worker{}
	cmd := &cobra.Command{Use: "worker --nats URL", Short: "Make runs of sweeps that come through a queue", Args: args(),
		Long: `Takes runs of sweeps from a queue, one after the other, until it is stopped: pare sweep lays them there. What they read comes
through the queue and is kept in --cache, once for each machine; what they make goes back. A worker that is stopped gives
its runs back as far as they have come, and another goes on with them; so it does where a worker dies.

It makes runs of pare model prune, train and eval alone, reads only what comes with them and what the data sets that are
built in hold, and writes only below --cache.`,
		Example: `  PARE_TOKEN=secret pare worker --nats nats://10.0.0.5:4222 --tls-ca ca.pem
  pare worker --nats nats://127.0.0.1:4222 --jobs 2 --threads 1`,
		RunE: func(cmd *cobra.Command, a []string) error { return c.runWorker(cmd, q, w) }}
	f := cmd.Flags()
	q.flags(f, "the queue's address, such as nats://127.0.0.1:4222; of several of a cluster with commas between")
	f.StringVar(&w.Dir, "cache", "", "folder, `DIR`, of what is fetched, which the workers of a machine share (default: pare/worker in the user's folder for caches)")
	f.IntVar(&w.Jobs, "jobs", 1, "runs at a time; --threads says with how many threads each computes (default: as the sweep says)")
	f.DurationVar(&w.Keep, "checkpoint-every", 15*time.Second, "how often a run's checkpoint is sent to the queue, where there is a new one: another worker goes on from it")
	inSections(cmd)
	return cmd
}

func (c *cli) runWorker(cmd *cobra.Command, q *joining, w *queue.Worker) (err error) {
	if q.access.URL == "" {
		return usage("no queue: give --nats URL\nSee: pare worker --help")
	}
	if err := q.settle(); err != nil {
		return err
	}
	if err := atLeast(1, "jobs", w.Jobs); err != nil {
		return err
	}
	if w.Keep < 10*time.Millisecond {
		return usage("--checkpoint-every %v: a time of at least 10ms is needed", w.Keep)
	}
	if w.Dir == "" {
		if w.Dir, err = os.UserCacheDir(); err != nil {
			return usage("there is no folder for caches (%v): give --cache DIR", err)
		}
		w.Dir = filepath.Join(w.Dir, "pare", "worker")
	}
	if w.Dir, err = filepath.Abs(w.Dir); err != nil {
		return err
	}
	if at := strings.IndexAny(w.Dir, ",?"); at >= 0 {
		return usage("--cache %s: %q in a path has a meaning where data is named: give another folder", w.Dir, w.Dir[at])
	}
	if w.Program, err = os.Executable(); err != nil {
		return err
	}
	host, _ := os.Hostname()
	w.Name, w.Threads, w.Log, w.Allow = fmt.Sprintf("%s-%d", cmp.Or(host, "worker"), os.Getpid()), c.threads, c.say, allowed
	nc, err := q.access.Connect("pare worker " + w.Name)
	if err != nil {
		return err
	}
	defer nc.Close()
	c.say("worker %s waits for runs (Ctrl-C ends it)", w.Name)
	if err := w.Run(cmd.Context(), nc); cmd.Context().Err() == nil {
		return err
	}
	t := w.Tally()
	return stopped("stopped after %d runs in %v, %.2g %% of it not their own; what was under way is given back", t.Jobs, t.Busy.Round(time.Second/10), 100*t.Coordination())
}

// Of the commands that a worker runs: the flags that it takes beside the settings of methods,
// recipes and distillation.
var workerFlags = map[string][]string{
	"model prune": {"output", "method", "data", "data-memory", "seed", "no-bench", "strict", "gguf-type", "by-blocks", "size", "input", "output-of", "json"},
	"model train": {"output", "data", "data-memory", "weights", "subset", "seed", "no-bench", "strict", "gguf-type", "size", "input", "output-of", "json"},
	"model eval":  {"data", "data-memory", "weights", "reference", "size", "input", "output-of", "json"},
}

// pathFlags name files, and may name those of the job alone.
var pathFlags = []string{"data", "weights", "subset", "reference", "teacher", "prompt-file"}

// forbidden are settings that run commands.
var forbidden = []string{"latency-cmd"}

// allowed says whether a worker makes a job: the command is one of a few, it names no files but
// the job's own, and it runs nothing.
func allowed(j *job.Job) error {
	words := j.Command()
	flags := workerFlags[words]
	if flags == nil {
		return fmt.Errorf("pare %.80s is no command of a worker", words)
	}
	named := func(f *job.File) string { return "{" + f.Name + "}" }
	line, err := j.Line(named, "{output}")
	if err != nil {
		return err
	}
	c := newCLI(line, io.Discard, io.Discard)
	cmd, rest, err := c.root().Find(line)
	if err != nil || strings.TrimPrefix(cmd.CommandPath(), "pare ") != words {
		return fmt.Errorf("pare %.80s is no command of a worker", words)
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return errors.New(c.explain(c.flagError(cmd, err)))
	}
	if c.wrong != nil {
		return c.wrong
	}
	var no error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		_, setting := f.Value.(*settingFlag)
		switch {
		case f.Name == "threads" && j.Threads > 0:
		case !setting && !slices.Contains(flags, f.Name) || slices.Contains(forbidden, f.Name):
			no = cmp.Or(no, fmt.Errorf("--%s is no flag of a worker", f.Name))
		case f.Name == "output" && strings.TrimSuffix(f.Value.String(), "/") != "{output}":
			no = cmp.Or(no, errors.New("--output: a worker writes {output} alone"))
		case slices.Contains(pathFlags, f.Name) || strings.Contains(f.Value.String(), "onnx:"):
			no = cmp.Or(no, ofTheJob(j, "--"+f.Name, f.Value.String()))
		}
	})
	for _, s := range catalog.Settings(c.method) {
		if words == "model prune" && c.spec.Gives(c.method, s.Name) && (slices.Contains(pathFlags, s.Name) || slices.Contains(forbidden, s.Name)) {
			no = cmp.Or(no, fmt.Errorf("--method: %s is no setting for a worker", s.Name))
		}
	}
	for _, a := range cmd.Flags().Args() {
		no = cmp.Or(no, ofTheJob(j, "the network", a))
	}
	return no
}

// ofTheJob returns an error where a text names a file that is none of the job's: a child works
// in a folder where nothing is, so that only a path leads to others.
func ofTheJob(j *job.Job, what, text string) error {
	rest := text
	for i := range j.Files {
		rest = strings.ReplaceAll(rest, "{"+j.Files[i].Name+"}", "")
	}
	if strings.ContainsAny(rest, `/\~{}`) || strings.Contains(rest, "..") {
		return fmt.Errorf("%s %.200q names a file that does not come with the job", what, text)
	}
	return nil
}
