package main

import (
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
)

// count is what an innermost loop takes.
type count struct {
	instructions, products, numbers int
}

// table are the kernels of the table, by what they are for; the plain twin whose loop does the
// same, where one loop does.
var table = []struct {
	kernel, is, twin string
	each             bool // counted by numbers, not by products
}{
	{"tileneon_6x16", "products and convolutions: 6 rows, 16 columns", "goTile", false},
	{"tileneon_8x8", "8 rows, 8 columns", "goTile", false},
	{"tileneon_8x4", "8 rows, 4 columns", "goTile", false},
	{"tileneon_1x32", "1 row, 32 columns", "goTile", false},
	{"channelsneon_8", "depthwise convolution, 8 places", "goChannelVector", false},
	{"rdotsneon", "a matrix with a vector", "dotsVec", false},
	{"sparseneon_1x8", "sparse: 64 places", "goSparse", false},
	{"sparseneon_1x2", "sparse: 16 places", "goSparse", false},
	{"sparse4neon_1x2", "sparse, four rows together: 16 places", "goSparse", false},
	{"sparsedotsneon", "sparse, one place", "goSparse", false},
	{"sampledneon", "gradient of sparse weights", "goSampled", false},
	{"packedhalf1neon", "a float16 matrix with a vector", "", false},
	{"packedint81neon", "an int8 matrix with a vector of floats", "", false},
	{"packedint84neon", "with 4 vectors", "", false},
	{"packedsparsehalf1neon", "a sparse float16 matrix with a vector, a place", "", false},
	{"packedsparseint81neon", "a sparse int8 matrix with a vector, a place", "", false},
	{"wholedot1neon", "int8 with int8, SDOT, 1 row", "", false},
	{"wholedot2neon", "int8 with int8, SDOT, 2 rows", "", false},
	{"whole1neon", "int8 with int8, without SDOT, 1 row", "", false},
	{"keysfloat1neon", "attention: keys, 1 query", "", false},
	{"keyshalf4neon", "attention: float16 keys, 4 queries", "", false},
	{"valueshalf4neon", "attention: float16 values, 4 rows", "", false},
	{"vaddneon", "x+y", "Add", true},
	{"vreluneon", "ReLU", "Relu", true},
	{"fexpneon", "e^x", "", true},
	{"fsigmoidneon", "sigmoid", "", true},
	{"ftanhneon", "tanh", "", true},
	{"fgeluneon", "GELU", "", true},
	{"rmaxneon", "largest", "maxVec", true},
	{"rexpsumneon", "softmax: e^(x-max) and their sum", "", true},
	{"rlayerneon", "layer normalisation: scale and shift", "layerVec", true},
	{"bnapplyneon", "batch normalisation: scale and shift", "goApply", true},
	{"oadamneon", "a step of Adam", "goAdam", true},
}

// inner is the innermost loop that does most. Loops that work on numbers one by one have
// eight at once in the loop that counts.
func (f *function) inner() (most count) {
	places := map[string]int{}
	for i, c := range f.code {
		if c.label != "" {
			places[c.label] = i
		}
	}
	for end, c := range f.code {
		begin, ok := places[c.to]
		if !ok || begin > end {
			continue
		}
		one, nested := count{}, false
		for i := begin; i <= end; i++ {
			if at, ok := places[f.code[i].to]; ok && i < end && at >= begin && at <= i {
				nested = true
			}
			if f.code[i].label == "" {
				one.instructions++
				one.products += f.code[i].fma
			}
		}
		if strings.HasPrefix(c.to, "eight") {
			one.numbers = 8
		}
		if !nested && (one.products > most.products || one.products == most.products && one.instructions > most.instructions) {
			most = one
		}
	}
	return most
}

// printCounts writes the table. binary is a test binary of the kernels for arm64, in which the
// loops of the twins are looked up; "": none.
func printCounts(w io.Writer, binary string) error {
	fmt.Fprintln(w, "| kernel | what | instructions | multiply-adds | numbers | instructions for each | of the plain twin |\n|---|---|---:|---:|---:|---:|---:|")
	for _, k := range table {
		for _, fn := range finished {
			if fn.name != k.kernel {
				continue
			}
			c := fn.inner()
			products, numbers, per := strconv.Itoa(c.products), "", c.products
			if k.each {
				products, numbers, per = "", strconv.Itoa(c.numbers), c.numbers
			}
			twin := ""
			if k.twin != "" && binary != "" {
				n, err := goLoop(binary, k.twin)
				if err != nil {
					return err
				}
				twin = strconv.Itoa(n)
			}
			fmt.Fprintf(w, "| `%s` | %s | %d | %s | %s | %.2f | %s |\n", k.kernel, k.is, c.instructions, products, numbers, float64(c.instructions)/float64(per), twin)
		}
	}
	return nil
}

// goLoop is how many instructions the innermost loop of a function of Go takes: of those that
// branch back, the shortest that multiplies and adds, or where none does, that works on floats.
func goLoop(binary, name string) (int, error) {
	out, err := exec.Command("go", "tool", "objdump", "-s", `^pare/internal/kernel\.`+name+`$`, binary).Output()
	if err != nil {
		return 0, fmt.Errorf("go tool objdump %s: %w", binary, err)
	}
	var ops [][]string
	for _, line := range strings.Split(string(out), "\n") {
		if cols := strings.Fields(line); len(cols) > 3 && strings.HasPrefix(cols[1], "0x") {
			ops = append(ops, cols[3:])
		}
	}
	best, adds := 0, false
	for i, op := range ops {
		back, ok := strings.CutSuffix(op[len(op)-1], "(PC)")
		n, err := strconv.Atoi(back)
		if begin := i + n; ok && err == nil && n < 0 && begin >= 0 {
			floats, fma := false, false
			for _, o := range ops[begin : i+1] {
				floats, fma = floats || strings.HasPrefix(o[0], "F"), fma || strings.HasPrefix(o[0], "FMADD")
			}
			if fma && !adds || floats && fma == adds && (best == 0 || 1-n < best) {
				best, adds = 1-n, fma
			}
		}
	}
	if best == 0 {
		return 0, fmt.Errorf("%s of %s has no loop", name, binary)
	}
	return best, nil
}
