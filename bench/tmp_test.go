package main

import (
	"os"
	"strings"
	"testing"
)

func BenchmarkOp(b *testing.B) {
	for _, o := range operators {
		if !strings.HasPrefix(o.name, os.Getenv("OPNAME")) {
			continue
		}
		b.Run(o.name, func(b *testing.B) {
			run, done, err := o.frozen(0)(1)
			if err != nil {
				b.Fatal(err)
			}
			defer done()
			for b.Loop() {
				if err := run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
