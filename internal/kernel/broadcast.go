package kernel

// Passes over a matrix x [rows, cols] with one value for each column (v
// has cols values) or for each row (v has rows values).

// AddColumns adds v[j] to column j: a bias. cols is len(v).
func AddColumns(x, v, dst []float32) { eachRow(x, v, dst, Add) }

// MulColumns multiplies column j by v[j].
func MulColumns(x, v, dst []float32) { eachRow(x, v, dst, Mul) }

func eachRow(x, v, dst []float32, f func(x, y, dst []float32)) {
	c := len(v)
	if c == 0 || len(dst)%c != 0 {
		panic("kernel: the matrix is not made of whole rows")
	}
	for i := 0; i < len(dst); i += c {
		f(x[i:i+c], v, dst[i:i+c])
	}
}

// AddRows adds v[i] to row i. rows is len(v).
func AddRows(x, v, dst []float32) {
	c := perRow(dst, len(v))
	for i, s := range v {
		Affine(1, x[i*c:(i+1)*c], s, dst[i*c:(i+1)*c])
	}
}

// MulRows multiplies row i by v[i].
func MulRows(x, v, dst []float32) {
	c := perRow(dst, len(v))
	for i, s := range v {
		Scale(s, x[i*c:(i+1)*c], dst[i*c:(i+1)*c])
	}
}

// perRow is the length of each of some rows.
func perRow(x []float32, rows int) int {
	if rows == 0 {
		return 0
	}
	if len(x)%rows != 0 {
		panic("kernel: the matrix is not made of whole rows")
	}
	return len(x) / rows
}
