//go:build !amd64 && !arm64

package kernel

// Levels are what the CPU has, weakest first.
func Levels() []ISA { return []ISA{Generic} }
