package main

import "fmt"

// Registers that Go's assembly may use: R16 and R17 belong to the linker, R18 to the system,
// R26 to R28 to Go.
var generals = []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 19, 20, 21, 22, 23, 24, 25}

// allocate gives each register a number that none has which is live with it.
func (f *function) allocate() error {
	out := f.live()
	beside := map[*reg]map[*reg]bool{}
	join := func(a, b *reg) {
		if a == b || a.vec != b.vec {
			return
		}
		for _, p := range [][2]*reg{{a, b}, {b, a}} {
			if beside[p[0]] == nil {
				beside[p[0]] = map[*reg]bool{}
			}
			beside[p[0]][p[1]] = true
		}
	}
	for i, c := range f.code {
		for _, d := range c.def {
			for r := range out[i] {
				join(d, r)
			}
			for _, e := range c.def {
				join(d, e)
			}
		}
	}
	for i := range f.code {
		for _, d := range append(append([]*reg(nil), f.code[i].def...), f.code[i].use...) {
			if d.num >= 0 {
				continue
			}
			taken := map[int]bool{}
			for r := range beside[d] {
				taken[r.num] = true
			}
			d.num = free(d.vec, taken)
			if d.num < 0 {
				return errRegisters
			}
		}
	}
	return nil
}

// free is the first number that is not taken; -1: there is none.
func free(vec bool, taken map[int]bool) int {
	if vec {
		for n := range 32 {
			if !taken[n] {
				return n
			}
		}
		return -1
	}
	for _, n := range generals {
		if !taken[n] {
			return n
		}
	}
	return -1
}

// live gives for each instruction the registers whose values are read after it.
func (f *function) live() []map[*reg]bool {
	places := map[string]int{}
	for i, c := range f.code {
		if c.label != "" {
			if _, twice := places[c.label]; twice {
				panic(fmt.Sprintf("%s: label %s twice", f.name, c.label))
			}
			places[c.label] = i
		}
	}
	in, out := make([]map[*reg]bool, len(f.code)), make([]map[*reg]bool, len(f.code))
	for i := range f.code {
		in[i], out[i] = map[*reg]bool{}, map[*reg]bool{}
	}
	for changed := true; changed; {
		changed = false
		for i := len(f.code) - 1; i >= 0; i-- {
			c := &f.code[i]
			add := func(to int) {
				for r := range in[to] {
					if !out[i][r] {
						out[i][r], changed = true, true
					}
				}
			}
			if c.falls && i+1 < len(f.code) {
				add(i + 1)
			}
			if c.to != "" {
				to, ok := places[c.to]
				if !ok {
					panic(fmt.Sprintf("%s: no label %s", f.name, c.to))
				}
				add(to)
			}
			for r := range out[i] {
				if !in[i][r] && !has(c.def, r) {
					in[i][r], changed = true, true
				}
			}
			for _, r := range c.use {
				if !in[i][r] {
					in[i][r], changed = true, true
				}
			}
		}
	}
	for r := range in[0] {
		panic(fmt.Sprintf("%s: a register (vector: %v) is read before it is set", f.name, r.vec))
	}
	return out
}

func has(rs []*reg, r *reg) bool {
	for _, x := range rs {
		if x == r {
			return true
		}
	}
	return false
}
