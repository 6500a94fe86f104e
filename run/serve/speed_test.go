package serve

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pare/run"
)

// thousand is a store of a thousand runs.
func thousand(t testing.TB) *run.Store {
	t.Helper()
	m := newStore(t)
	b, err := os.ReadFile(filepath.Join(m.Dir, m.cut, run.RecordFile))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 - 4 {
		dir := filepath.Join(m.Dir, fmt.Sprintf("20260101-000000.%03d-prune-%06x", i, i))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, run.RecordFile), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return m.Store
}

// A table of a thousand runs is there in the time of a glance. The bar is wide: machines of
// tests do other things, too.
func TestThousand(t *testing.T) {
	s, h := serving(t, Config{Store: thousand(t)})
	if x := asked[table](t, h, "/api/runs"); len(x.Runs) != 1000 { // the index is made
		t.Fatalf("%d runs", len(x.Runs))
	}
	least := time.Hour
	for range 5 {
		start := time.Now()
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/api/runs", nil)
		r.Host = "localhost"
		s.ServeHTTP(w, r)
		if w.Code != 200 {
			t.Fatal(w.Code)
		}
		least = min(least, time.Since(start))
	}
	if least > 600*time.Millisecond {
		t.Errorf("a thousand runs took %v", least)
	}
}

// BenchmarkTable is how long the table of a thousand runs takes: the first answer, for which
// the index is made, and those after it.
func BenchmarkTable(b *testing.B) {
	store := thousand(b)
	ask := func(s *Server, path string) {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", path, nil)
		r.Host = "localhost"
		if s.ServeHTTP(w, r); w.Code != 200 {
			b.Fatal(w.Code)
		}
	}
	s, _ := serving(b, Config{Store: store})
	for name, path := range map[string]string{"all": "/api/runs", "text": "/api/runs?text=lamp+none", "status": "/api/runs?status=running"} {
		ask(s, path)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				ask(s, path)
			}
		})
	}
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			os.Remove(filepath.Join(store.Dir, ".index.sqlite")) //nolint:errcheck // it may not be there
			b.StartTimer()
			ask(s, "/api/runs")
		}
	})
}
