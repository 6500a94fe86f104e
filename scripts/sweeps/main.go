// Command sweeps measures what a queue costs: it makes the same runs, each of one thread, by one
// worker process and by two, in turns, and says how long that took, how much processor time, how
// much of it was not the runs' own, and how many messages and bytes went through the queue.
//
//	go run ./scripts/sweeps -dir FOLDER
//
// The clock counts what other processes take, too. Processor time does not: two workers are
// faster by twice what the runs take by one of them over what they take by two, coordination
// and the other's use of the memory among it. The folder is removed again.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"pare/report"
	"pare/run"
	"pare/run/job"
	"pare/run/queue"
)

func main() {
	dir := flag.String("dir", "", "folder to work in, which is made and removed")
	runs := flag.Int("runs", 12, "runs of a sweep")
	rounds := flag.Int("rounds", 3, "times that the sweep is made by one worker and by two")
	epochs := flag.Int("epochs", 6, "epochs of a run")
	flag.Parse()
	if *dir == "" {
		flag.Usage()
		os.Exit(2)
	}
	if err := measure(*dir, *runs, *rounds, *epochs); err != nil {
		fmt.Fprintln(os.Stderr, "sweeps:", err)
		os.Exit(1)
	}
}

// cost is what a sweep took.
type cost struct {
	wall, cpu, own time.Duration // own: of the processor's time, that of asker, queue and workers without the runs
	traffic        queue.Traffic
	said           []string
}

func measure(dir string, runs, rounds, epochs int) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is in the way of nobody
	pare := filepath.Join(dir, "pare")
	if out, err := exec.Command("go", "build", "-o", pare, "./cmd/pare").CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w: %s", err, out)
	}
	var costs [2][]cost
	t := &report.Table{Columns: []string{"workers", "round", "wall", "processor", "not the runs'", "messages a run", "bytes a run", "load before"}}
	for r := range rounds {
		for n := 1; n <= 2; n++ {
			load, _ := os.ReadFile("/proc/loadavg")
			c, err := sweep(filepath.Join(dir, fmt.Sprint(n, "-", r)), pare, n, runs, epochs)
			if err != nil {
				return err
			}
			costs[n-1] = append(costs[n-1], c)
			x := c.traffic
			t.Rows = append(t.Rows, []report.Cell{report.Count(int64(n)), report.Count(int64(r + 1)), report.Text(seconds(c.wall)), report.Text(seconds(c.cpu)), report.Percent(float64(c.own) / float64(c.cpu)),
				report.Text(fmt.Sprintf("%d in, %d out", int(x.InMsgs)/runs, int(x.OutMsgs)/runs)), report.Text(fmt.Sprintf("%s in, %s out", report.Bytes(x.InBytes/int64(runs)).Text, report.Bytes(x.OutBytes/int64(runs)).Text)),
				report.Text(strings.Split(string(load), " ")[0])})
			fmt.Printf("%d workers: %.2f s by the clock, %.2f s of processor time, %.2f s of it not the runs'; %d messages in, %d out; %s\n", n, c.wall.Seconds(), c.cpu.Seconds(), c.own.Seconds(), x.InMsgs, x.OutMsgs, strings.Join(c.said, "; "))
		}
	}
	t.Print(os.Stdout, 160)
	wall := ratio(costs, func(c cost) float64 { return c.wall.Seconds() })
	cpu := ratio(costs, func(c cost) float64 { return c.cpu.Seconds() })
	fmt.Printf("two workers for one, median of %d rounds: %.2f times as fast by the clock, %.2f times by processor time\n", rounds, wall, 2*cpu)
	return nil
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// ratio is the median over the rounds of one worker's cost over two workers'.
func ratio(costs [2][]cost, of func(cost) float64) float64 {
	var rs []float64
	for i := range costs[0] {
		rs = append(rs, of(costs[0][i])/of(costs[1][i]))
	}
	slices.Sort(rs)
	return rs[len(rs)/2]
}

// sweep makes runs by workers that have nothing yet.
func sweep(dir, pare string, workers, runs, epochs int) (c cost, err error) {
	s, err := queue.Start(queue.ServerOptions{Dir: filepath.Join(dir, "queue"), Listen: "127.0.0.1:0"})
	if err != nil {
		return c, err
	}
	defer s.Close()
	nc, err := s.Connect("asker")
	if err != nil {
		return c, err
	}
	defer nc.Close()
	ctx := context.Background()
	m, err := queue.New(ctx, nc, queue.Options{Sweep: "measured", Store: &run.Store{Dir: filepath.Join(dir, "runs")}, Dir: filepath.Join(dir, "jobs")})
	if err != nil {
		return c, err
	}
	defer m.Close()
	ps, said := make([]*exec.Cmd, workers), make([]strings.Builder, workers)
	for i := range ps {
		ps[i] = exec.Command(pare, "worker", "--nats", s.URL(), "--cache", filepath.Join(dir, "cache"), "--threads", "1")
		ps[i].Stderr = &said[i]
		if err := ps[i].Start(); err != nil {
			return c, err
		}
	}
	began, before := time.Now(), spent(syscall.RUSAGE_SELF)
	var all sync.WaitGroup
	errs := make([]error, runs)
	for i := range runs {
		all.Go(func() {
			j := &job.Job{ID: fmt.Sprint("run", i), Output: "net.onnx", Threads: 1,
				Args: strings.Fields(fmt.Sprintf("model train resnet8 --data digits --epochs %d --batch 64 --seed %d --no-bench -o {output}", epochs, i+1))}
			d, err := m.Make(ctx, j, nil)
			if err == nil && d.Status != run.Done {
				err = fmt.Errorf("%s: %s", d.Status, d.Error)
			}
			errs[i] = err
		})
	}
	all.Wait()
	c.wall = time.Since(began)
	if c.traffic, err = s.Traffic(); err != nil {
		return c, err
	}
	c.own = spent(syscall.RUSAGE_SELF) - before
	for i, p := range ps {
		own, err := ownTime(p.Process.Pid)
		if err != nil {
			return c, err
		}
		c.own += own
		p.Process.Signal(syscall.SIGTERM) //nolint:errcheck // it may have ended
		p.Wait()                          //nolint:errcheck // a signal ends it
		c.cpu += p.ProcessState.UserTime() + p.ProcessState.SystemTime()
		lines := strings.Split(strings.TrimSpace(said[i].String()), "\n")
		c.said = append(c.said, strings.TrimPrefix(lines[len(lines)-1], "pare: "))
	}
	c.cpu += spent(syscall.RUSAGE_SELF) - before
	for _, err := range errs {
		if err != nil {
			return c, err
		}
	}
	return c, nil
}

// spent is the processor time of this process.
func spent(who int) time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(who, &u) //nolint:errcheck // it does not fail
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// ownTime is the processor time of another process without its children's.
func ownTime(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	var user, sys int64
	if _, err := fmt.Sscan(f[11]+" "+f[12], &user, &sys); err != nil {
		return 0, err
	}
	return time.Duration(user+sys) * time.Second / 100, nil // ticks
}
