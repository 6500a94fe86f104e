//go:build !linux

package kernel

func largePages(b []byte) []byte { return b }
