package kernel

func sampledVec(_ int, t *byte) { sampledneon(t) }

func keepWords(n int, bits *uint64, x *float32) { keepneon(n, bits, x) }
