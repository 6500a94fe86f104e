package kernel

// The kernels by how many rows they take less one: of float32, and of float16.
var (
	keysNEON   = [2][4]func(*byte){{keysfloat1neon, keysfloat2neon, keysfloat3neon, keysfloat4neon}, {keyshalf1neon, keyshalf2neon, keyshalf3neon, keyshalf4neon}}
	valuesNEON = [2][4]func(*byte){{valuesfloat1neon, valuesfloat2neon, valuesfloat3neon, valuesfloat4neon}, {valueshalf1neon, valueshalf2neon, valueshalf3neon, valueshalf4neon}}
)

// keyKernels are those of Scores.
func keyKernels(kind int) *[4]func(*byte) { return &keysNEON[kind] }

// valueKernels are those of Sums where so many columns are left, and how many they take at once.
func valueKernels(kind, left int) (kernels *[4]func(*byte), columns int) {
	return &valuesNEON[kind], 16
}

// toHalfs rounds whole vectors of n numbers.
func toHalfs(n int, x *float32, y *uint16) (most float32) { return tohalfneon(n, x, y) }
