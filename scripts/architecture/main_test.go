package main

import (
	"os"
	"strings"
	"testing"
)

// The documentation has the packages as they are.
func TestDrawn(t *testing.T) {
	b, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	want, err := draw("../..")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), begin+"\n"+want+end) {
		t.Error("docs/architecture.md is out of date: go run ./scripts/architecture docs/architecture.md")
	}
}
