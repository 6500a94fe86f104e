package kernel

// Levels are what the CPU has, weakest first.
func Levels() []ISA { return []ISA{Generic, NEON} }
