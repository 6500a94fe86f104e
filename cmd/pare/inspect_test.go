package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What each group costs is a table, JSON, and stands in the drawing.
func TestSensitivity(t *testing.T) {
	dir := t.TempDir()
	n := net(t, dir)
	page := filepath.Join(dir, "net.html")
	var x struct {
		Groups      []struct{ Channels int }
		Sensitivity struct {
			By, Set string
			Groups  []struct {
				Channels int
				Cuts     []struct {
					Share, Worse float64
					Stay         int
				}
			}
		}
	}
	o := ok(t, "model", "inspect", n, "--sensitivity", "--data", "digits?n=200", "--html", page, "--json")
	if err := json.Unmarshal([]byte(o), &x); err != nil {
		t.Fatal(err)
	}
	s := x.Sensitivity
	if len(s.Groups) != len(x.Groups) || len(s.Groups) == 0 || s.By != "reconstruction" || s.Set != "test" {
		t.Errorf("%+v", x)
	}
	for i, g := range s.Groups {
		if g.Channels != x.Groups[i].Channels || len(g.Cuts) != 3 || g.Cuts[1].Stay != g.Channels/2 || g.Cuts[2].Share != .75 {
			t.Errorf("group %d: %+v", i+1, g)
		}
	}
	if b, err := os.ReadFile(page); err != nil || !strings.Contains(string(b), "cut alone it costs") {
		t.Errorf("the page: %v", err)
	}
	if o := ok(t, "model", "inspect", n, "--sensitivity", "--data", "digits?n=200", "--score", "norm", "--metric", "top-k(k=2)"); !strings.Contains(o, "top-k is") || !strings.Contains(o, "50 % cut") {
		t.Error(o)
	}
	for want, args := range map[string][]string{"give --data": {"--sensitivity"}, "give both": {"--data", "digits"}} {
		if status, _, e := pare(t, append([]string{"model", "inspect", n}, args...)...); status != 2 || !strings.Contains(e, want) {
			t.Errorf("%v: status %d, %s", args, status, e)
		}
	}
}
