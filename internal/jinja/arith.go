package jinja

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

var errLarge = fmt.Errorf("a number is too large")

func (r *run) arithmetic(op string, a, b any) (any, error) {
	for _, v := range []any{a, b} {
		if u, ok := v.(*undefined); ok {
			return nil, fmt.Errorf("'%s' is undefined", u.name)
		}
		if _, ok := v.(markup); ok {
			return nil, fmt.Errorf("%s of a text that is marked as safe is not supported", op)
		}
	}
	i, ok1 := integer(a)
	j, ok2 := integer(b)
	if ok1 && ok2 && op != "/" {
		return integers(op, i, j)
	}
	x, ok1 := float(a)
	y, ok2 := float(b)
	if ok1 && ok2 {
		return floats(op, x, y)
	}
	if op == "*" {
		if _, ok := integer(a); ok {
			a, b = b, a
		}
		if n, ok := integer(b); ok {
			return r.times(a, max(0, n))
		}
	}
	t, isText := a.(string)
	if op == "%" && isText {
		return r.percent(t, b)
	}
	if op == "+" {
		if u, ok := b.(string); ok && isText {
			return t + u, r.alloc(len(t) + len(u))
		}
		x, ok1 := a.(*List)
		y, ok2 := b.(*List)
		if ok1 && ok2 && x.Tuple == y.Tuple {
			if err := r.alloc(16 * (len(x.Items) + len(y.Items))); err != nil {
				return nil, err
			}
			return &List{append(slices.Clone(x.Items), y.Items...), x.Tuple}, nil
		}
	}
	return nil, fmt.Errorf("unsupported operand type(s) for %s: '%s' and '%s'", op, kind(a), kind(b))
}

// times repeats a text or a list.
func (r *run) times(a any, n int64) (any, error) {
	most := int64(r.bytes)
	switch a := a.(type) {
	case string:
		if n > most || n*int64(len(a)) > most {
			return nil, errMuch
		}
		return strings.Repeat(a, int(n)), r.alloc(int(n) * len(a))
	case *List:
		if n > most || n*int64(len(a.Items))*16 > most {
			return nil, errMuch
		}
		return &List{slices.Repeat(a.Items, int(n)), a.Tuple}, r.alloc(16 * int(n) * len(a.Items))
	}
	return nil, fmt.Errorf("unsupported operand type(s) for *: '%s' and 'int'", kind(a))
}

func integers(op string, i, j int64) (any, error) {
	switch op {
	case "+":
		if k := i + j; (k > i) == (j > 0) {
			return k, nil
		}
		return nil, errLarge
	case "-":
		if k := i - j; (k < i) == (j > 0) {
			return k, nil
		}
		return nil, errLarge
	case "*":
		k := i * j
		if i != 0 && (k/i != j || i == -1 && j == math.MinInt64) {
			return nil, errLarge
		}
		return k, nil
	case "//", "%":
		if j == 0 {
			return nil, fmt.Errorf("division by zero")
		}
		if j == -1 {
			if op == "%" {
				return int64(0), nil
			}
			return integers("-", 0, i)
		}
		q, m := i/j, i%j
		if m != 0 && (m < 0) != (j < 0) {
			q, m = q-1, m+j
		}
		if op == "%" {
			return m, nil
		}
		return q, nil
	}
	if j < 0 {
		return floats("**", float64(i), float64(j))
	}
	out := int64(1)
	for ; j > 0; j-- {
		if out == 0 || out == 1 && i == 1 {
			break
		}
		v, err := integers("*", out, i)
		if err != nil {
			return nil, err
		}
		if out = v.(int64); i == -1 {
			j = j % 2 // what is left changes the sign, or not
			if j == 0 {
				out = 1
			}
			break
		}
	}
	return out, nil
}

func floats(op string, x, y float64) (any, error) {
	switch op {
	case "+":
		return x + y, nil
	case "-":
		return x - y, nil
	case "*":
		return x * y, nil
	case "**":
		if x == 0 && y < 0 {
			return nil, fmt.Errorf("0.0 cannot be raised to a negative power")
		}
		z := math.Pow(x, y)
		if z != z && x == x && y == y {
			return nil, fmt.Errorf("a root of a negative number is not supported")
		}
		return z, nil
	}
	if y == 0 {
		return nil, fmt.Errorf("division by zero")
	}
	if op == "/" {
		return x / y, nil
	}
	m := math.Mod(x, y)
	q := (x - m) / y // by the rest: x/y alone may be rounded up to a whole number
	if m != 0 && (m < 0) != (y < 0) {
		m, q = m+y, q-1
	}
	switch {
	case op == "//" && q == 0:
		return math.Copysign(0, x/y), nil
	case op == "//":
		return math.Round(q), nil
	case m == 0:
		return math.Copysign(0, y), nil
	}
	return m, nil
}
