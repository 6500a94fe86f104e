package run

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"pare/catalog"
	"pare/engine"
)

// TestMain: with this set, the test's binary takes a path and waits to be killed.
func TestMain(m *testing.M) {
	if path := os.Getenv("PARE_TEST_TAKE"); path != "" {
		if _, err := Take(path); err != nil {
			panic(err)
		}
		fmt.Println("taken")
		os.Stdin.Read(make([]byte, 1)) //nolint:errcheck // it waits to be killed
		return
	}
	if path := os.Getenv("PARE_TEST_FULL"); path != "" {
		addToFull(path)
		return
	}
	os.Exit(m.Run())
}

// addToFull adds a line to a ledger where no file may be larger than 25 bytes.
func addToFull(path string) {
	signal.Ignore(syscall.SIGXFSZ)
	l, err := ledger(path)
	if err == nil {
		err = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 25, Max: 25})
	}
	if err != nil {
		panic(err)
	}
	if err = l.Add(&outcome{"b", 2}); IsFault(err) && l.Find("b") == nil {
		fmt.Println("fault")
		return
	}
	fmt.Println(err)
}

// A path that another process works on is refused, and the process named; that of a
// process that was killed is taken over.
func TestTake(t *testing.T) {
	path := filepath.Join(t.TempDir(), "o.pare")
	p := exec.Command(os.Args[0])
	p.Env = append(os.Environ(), "PARE_TEST_TAKE="+path)
	out, err := p.StdoutPipe()
	if err == nil {
		_, err = p.StdinPipe() // what it waits for never comes
	}
	if err == nil {
		err = p.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	var busy *BusyError
	if _, err := Take(path); !errors.As(err, &busy) || busy.PID != p.Process.Pid || !strings.Contains(err.Error(), fmt.Sprint("process ", p.Process.Pid)) {
		t.Errorf("%v, want process %d", err, p.Process.Pid)
	}
	p.Process.Kill() //nolint:errcheck // Wait tells
	p.Wait()         //nolint:errcheck // it was killed
	if _, err := os.Stat(path + ".lock"); err != nil {
		t.Error(err)
	}
	l, err := Take(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Take(path); !errors.As(err, &busy) || busy.PID != os.Getpid() {
		t.Error(err)
	}
	l.Release()
	l.Release()
	if left, _ := filepath.Glob(path + "*"); left != nil {
		t.Errorf("left behind: %v", left)
	}
}

// Of many that want a path at once, one has it at a time.
func TestTakeTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	done := make(chan int)
	holders := make(chan bool, 1)
	for range 8 {
		go func() {
			got := 0
			for range 200 {
				l, err := Take(path)
				if err != nil {
					continue
				}
				select {
				case holders <- true:
				default:
					t.Error("two have it")
				}
				got++
				<-holders
				l.Release()
			}
			done <- got
		}()
	}
	all := 0
	for range 8 {
		all += <-done
	}
	if all == 0 {
		t.Error("nobody ever had it")
	}
}

// A checkpoint that is there is neither replaced in silence nor missed in silence.
func TestOwn(t *testing.T) {
	dir := t.TempDir()
	save := filepath.Join(dir, "o.pare.checkpoint")
	write := func(names ...string) {
		for _, n := range names {
			if err := os.WriteFile(filepath.Join(dir, n), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, name := range []string{"o.pare.checkpoint", "o.pare.checkpoint.1"} {
		write(name)
		var bad *catalog.Error
		if _, err := Own(save, false, false); !errors.As(err, &bad) || !strings.Contains(err.Error(), "give Resume") {
			t.Error(err)
		}
		o, err := Own(save, true, true)
		if err != nil || !o.Found {
			t.Fatalf("%+v, %v", o, err)
		}
		var busy *BusyError
		if _, err := Own(save, true, true); !errors.As(err, &busy) {
			t.Error(err)
		}
		o.Release()
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
		if o, err = Own(save, false, true); err != nil || o.Found {
			t.Fatalf("%+v, %v", o, err)
		}
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Error("the checkpoint is still there")
		}
		o.Done()
		if o, err = Own(save, true, false); err != nil || o.Found {
			t.Fatalf("%+v, %v", o, err)
		}
		o.Done()
	}
	write("o.pare", ".o.pare.checkpoint123456789012", ".o.pare.checkpoint.1123456789012", ".o.pare.checkpoint12", ".other123456789012", ".o.pare123456789012")
	o, err := Own(save, false, false)
	if err != nil {
		t.Fatal(err)
	}
	o.Done()
	Tidy(filepath.Join(dir, "o.pare"))
	var left []string
	es, _ := os.ReadDir(dir)
	for _, e := range es {
		left = append(left, e.Name())
	}
	if got := strings.Join(left, " "); got != ".o.pare.checkpoint12 .other123456789012 o.pare" {
		t.Errorf("%s are left", got)
	}
	none, err := Own("", false, false)
	if err != nil {
		t.Fatal(err)
	}
	none.Done()
}

// Faults of the machine are told from what fails of itself.
func TestIsFault(t *testing.T) {
	for _, err := range []error{syscall.ENOSPC, &fs.PathError{Op: "write", Path: "x", Err: syscall.EDQUOT}, fmt.Errorf("checkpoint: %w", fs.ErrPermission), syscall.EACCES,
		fmt.Errorf("x: %w", engine.ErrMemory), Panicked(made(-1)), Panicked(made(1 << 62))} {
		if !IsFault(err) {
			t.Errorf("%v is no fault", err)
		}
	}
	for _, err := range []error{nil, errors.New("the loss became NaN"), fs.ErrNotExist, Panicked("x"), Panicked(errors.New("x"))} {
		if IsFault(err) {
			t.Errorf("%v is a fault", err)
		}
	}
}

// made is what making a slice panics with.
func made(n int) (r any) {
	defer func() { r = recover() }()
	return len(make([]float64, n))
}

// A line that cannot be written whole is taken off again.
func TestLedgerFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.jsonl")
	l, err := ledger(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Add(&outcome{"a", 1}); err != nil {
		t.Fatal(err)
	}
	p := exec.Command(os.Args[0])
	p.Env = append(os.Environ(), "PARE_TEST_FULL="+path)
	if out, err := p.CombinedOutput(); err != nil || string(out) != "fault\n" {
		t.Errorf("%v: %s", err, out)
	}
	if err := l.Add(&outcome{"c", 3}); err != nil {
		t.Fatal(err)
	}
	if l, err = ledger(path); err != nil || l.Find("a") == nil || l.Find("b") != nil || l.Find("c") == nil {
		t.Errorf("%v: %v", err, l)
	}
}
