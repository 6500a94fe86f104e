package lm

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/google/renameio/v2"
)

// Cache is a model that keeps the replies of another on disk, a file each, named by
// the content of the request and the model's fingerprint. Several processes may use a
// folder at once.
//
// Samples that nothing fixes, at a temperature and without a seed, differ from call to
// call; so they do here: the n-th time that this Cache gets such a request is kept as
// the n-th, and a program that is run again gets the same samples in their order.
type Cache struct {
	layer
	dir string

	mu    sync.Mutex
	seen  map[string]int           // of requests left to chance, how often
	busy  map[string]chan struct{} // what is being asked for
	stats CacheStats
}

// CacheStats is what a Cache has done.
type CacheStats struct {
	Hits   int // answered from disk
	Misses int // asked for
	Remade int // of the misses, those whose file was damaged
}

// mostEntry is the most bytes of a file that is read.
const mostEntry = 256 << 20

// WithCache puts a cache around a model. The folder is made where there is none.
func WithCache(m Model, dir string) (*Cache, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	c := &Cache{dir: dir, seen: map[string]int{}, busy: map[string]chan struct{}{}}
	c.layer = layer{m.Info, func(ctx context.Context, q call, each func(Delta) error) (answer, error) {
		return c.answer(ctx, m, q, each)
	}}
	return c, nil
}

// Stats says what the cache has done since it was made.
func (c *Cache) Stats() CacheStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

func (c *Cache) answer(ctx context.Context, m Model, q call, each func(Delta) error) (answer, error) {
	info := m.Info()
	if err := q.check(info); err != nil {
		return answer{}, err
	}
	first, err := key(info, q, 0)
	if err != nil {
		return answer{}, err
	}
	name, back := first, func() {}
	if q.chance() {
		n := c.repetition(first)
		if name, err = key(info, q, n); err != nil {
			return answer{}, err
		}
		back = func() { c.giveBack(first, n) }
	}
	for {
		a, err := c.read(name, q)
		if err == nil {
			c.count(func(s *CacheStats) { s.Hits++ })
			return a.kept(), play(a, each)
		}
		done, mine := c.begin(name)
		if mine {
			defer c.end(name)
			a, err := c.make(ctx, m, name, q, each, err)
			if err != nil {
				back()
			}
			return a, err
		}
		select {
		case <-done:
		case <-ctx.Done():
			return answer{}, Gone(ctx, info.Name)
		}
	}
}

// make asks the model, and keeps what it says. why says what was wrong with the file.
func (c *Cache) make(ctx context.Context, m Model, name string, q call, each func(Delta) error, why error) (answer, error) {
	if a, err := c.read(name, q); err == nil { // another has just made it
		c.count(func(s *CacheStats) { s.Hits++ })
		return a.kept(), play(a, each)
	}
	c.count(func(s *CacheStats) {
		s.Misses++
		if !errors.Is(why, fs.ErrNotExist) {
			s.Remade++
		}
	})
	a, err := q.ask(ctx, m, each)
	if err != nil || !a.whole(q) {
		return a, err
	}
	if err := c.write(name, q, a); err != nil {
		return a, &Error{Kind: Broken, Model: m.Info().Name, Err: fmt.Errorf("the reply could not be kept: %w", err)}
	}
	return a, nil
}

func play(a answer, each func(Delta) error) error {
	if each == nil || a.Generate == nil {
		return nil
	}
	return Play(a.Generate, each)
}

// repetition counts a request that is left to chance.
func (c *Cache) repetition(key string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.seen[key]
	c.seen[key] = n + 1
	return n
}

// giveBack takes back a repetition that failed, where none came after it.
func (c *Cache) giveBack(key string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen[key] == n+1 {
		c.seen[key] = n
	}
}

// begin takes on what nobody is asking for; otherwise it gives what to wait for.
func (c *Cache) begin(name string) (done chan struct{}, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if done := c.busy[name]; done != nil {
		return done, false
	}
	c.busy[name] = make(chan struct{})
	return nil, true
}

func (c *Cache) end(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.busy[name])
	delete(c.busy, name)
}

func (c *Cache) count(f func(*CacheStats)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.stats)
}

// entry is what a file holds after its checksum: the call, for people, and the answer.
type entry struct {
	Call   call   `json:"call"`
	Answer answer `json:"answer"`
}

func (c *Cache) path(name string) string { return filepath.Join(c.dir, name[:2], name+".json") }

// read gives what a file holds: its first line is the checksum of the second.
func (c *Cache) read(name string, q call) (answer, error) {
	f, err := os.Open(c.path(name))
	if err != nil {
		return answer{}, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, mostEntry+1))
	if err != nil {
		return answer{}, err
	}
	sum, body, _ := bytes.Cut(b, []byte("\n"))
	if len(b) > mostEntry || string(sum) != checksum(body) {
		return answer{}, errors.New("the checksum is wrong")
	}
	var e entry
	if err := json.Unmarshal(body, &e); err != nil {
		return answer{}, err
	}
	if !e.Answer.whole(q) {
		return answer{}, errors.New("the answer is not whole")
	}
	return e.Answer, nil
}

// write puts a file in its place at once, whoever else does.
func (c *Cache) write(name string, q call, a answer) error {
	body, err := json.Marshal(entry{q.normal(), a})
	if err != nil {
		return err
	}
	dir := filepath.Dir(c.path(name))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	b := append([]byte(checksum(body)+"\n"), body...)
	return renameio.WriteFile(c.path(name), b, 0o600, renameio.WithTempDir(dir))
}

func checksum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
