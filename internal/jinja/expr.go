package jinja

// expr is a part of a template that has a value; stmt is one that does something.
type expr interface{}

type (
	literal struct{ value any }
	name_   struct{ name string }
	unary   struct {
		op string
		x  expr
	}
	binary struct {
		op   string
		a, b expr
	}
	compare struct {
		first expr
		ops   []string
		rest  []expr
	}
	cond struct{ then, test, other expr } // other nil: undefined
	attr struct {
		of   expr
		name string
	}
	item  struct{ of, key expr }
	slice struct{ of, from, to, step expr }
	call  struct {
		args  []expr
		names []string // of the last ones; those before have none
		star  expr     // *args
		stars expr     // **kwargs
	}
	callExpr struct {
		f expr
		call
		line int
	}
	filter struct {
		of   expr
		name string
		call
		line int
	}
	test struct {
		of   expr
		name string
		call
		line int
	}
	listExpr struct {
		items []expr
		tuple bool
	}
	dictExpr struct{ keys, values []expr }
)

// tuple reads expressions with commas between; ends are names that end them.
func (p *parser) tuple(condition bool, ends ...string) (expr, error) {
	var out []expr
	for {
		var e expr
		var err error
		if condition || len(ends) == 0 {
			e, err = p.expr()
		} else {
			e, err = p.or()
		}
		if err != nil {
			return nil, err
		}
		out = append(out, e)
		if !p.op(",") {
			break
		}
		t := p.peek()
		if t.kind == tokBlockEnd || t.kind == tokVarEnd || t.kind == tokOp && t.text == ")" {
			return &listExpr{out, true}, nil
		}
	}
	if len(out) == 1 {
		return out[0], nil
	}
	return &listExpr{out, true}, nil
}

// expr reads a condition: A if B else C.
func (p *parser) expr() (expr, error) {
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	e, err := p.or()
	for err == nil && p.word("if") {
		c := &cond{then: e}
		if c.test, err = p.or(); err == nil && p.word("else") {
			c.other, err = p.expr()
		}
		e = c
	}
	return e, err
}

// chain reads operators of one rank, from the left.
func (p *parser) chain(sub func() (expr, error), kind int, ops ...string) (expr, error) {
	a, err := sub()
	for n := 0; err == nil; n++ {
		op := ""
		for _, o := range ops {
			if p.take(kind, o) {
				op = o
				break
			}
		}
		if op == "" {
			return a, nil
		}
		if n > 10*maxNest {
			return nil, p.errorf("an expression of more than %d operators", 10*maxNest)
		}
		var b expr
		if b, err = sub(); err == nil {
			a = &binary{op, a, b}
		}
	}
	return nil, err
}

func (p *parser) or() (expr, error)  { return p.chain(p.and, tokName, "or") }
func (p *parser) and() (expr, error) { return p.chain(p.not, tokName, "and") }

func (p *parser) not() (expr, error) {
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	if p.word("not") {
		x, err := p.not()
		return &unary{"not", x}, err
	}
	return p.comparison()
}

func (p *parser) comparison() (expr, error) {
	a, err := p.sum()
	if err != nil {
		return nil, err
	}
	c := &compare{first: a}
	for {
		op := ""
		t := p.peek()
		switch {
		case t.kind == tokOp && (t.text == "==" || t.text == "!=" || t.text == "<" || t.text == "<=" || t.text == ">" || t.text == ">="):
			op = p.next().text
		case p.word("in"):
			op = "in"
		case t.kind == tokName && t.text == "not" && p.toks[p.at+1].kind == tokName && p.toks[p.at+1].text == "in":
			p.at += 2
			op = "not in"
		}
		if op == "" {
			break
		}
		b, err := p.sum()
		if err != nil {
			return nil, err
		}
		c.ops, c.rest = append(c.ops, op), append(c.rest, b)
	}
	if len(c.ops) == 0 {
		return a, nil
	}
	return c, nil
}

func (p *parser) sum() (expr, error)     { return p.chain(p.concat, tokOp, "+", "-") }
func (p *parser) concat() (expr, error)  { return p.chain(p.product, tokOp, "~") }
func (p *parser) product() (expr, error) { return p.chain(p.power, tokOp, "*", "/", "//", "%") }
func (p *parser) power() (expr, error) {
	return p.chain(func() (expr, error) { return p.unary(true) }, tokOp, "**")
}

func (p *parser) unary(filters bool) (expr, error) {
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	var e expr
	var err error
	switch {
	case p.op("-"):
		e, err = p.unary(false)
		e = &unary{"-", e}
	case p.op("+"):
		e, err = p.unary(false)
		e = &unary{"+", e}
	default:
		e, err = p.primary()
	}
	if err == nil {
		e, err = p.postfix(e)
	}
	if err == nil && filters {
		e, err = p.filters(e)
	}
	return e, err
}

func (p *parser) primary() (expr, error) {
	t := p.next()
	switch t.kind {
	case tokName:
		switch t.text {
		case "true", "True":
			return &literal{true}, nil
		case "false", "False":
			return &literal{false}, nil
		case "none", "None":
			return &literal{nil}, nil
		}
		return &name_{t.text}, nil
	case tokString:
		s := t.text
		for p.peek().kind == tokString {
			s += p.next().text
		}
		return &literal{s}, nil
	case tokInt, tokFloat:
		v, err := number(t)
		return &literal{v}, err
	case tokOp:
		switch t.text {
		case "(":
			if p.op(")") {
				return &listExpr{nil, true}, nil
			}
			e, err := p.tuple(true)
			if err == nil {
				err = p.want(tokOp, ")")
			}
			return e, err
		case "[":
			items, err := p.items("]")
			return &listExpr{items, false}, err
		case "{":
			d := &dictExpr{}
			for !p.op("}") {
				if len(d.keys) > 0 {
					if err := p.want(tokOp, ","); err != nil {
						return nil, err
					}
					if p.op("}") {
						break
					}
				}
				k, err := p.expr()
				if err == nil {
					err = p.want(tokOp, ":")
				}
				if err != nil {
					return nil, err
				}
				v, err := p.expr()
				if err != nil {
					return nil, err
				}
				d.keys, d.values = append(d.keys, k), append(d.values, v)
			}
			return d, nil
		}
	}
	p.at = max(0, p.at-1)
	return nil, p.errorf("%q is not what should stand there: a value", t.text)
}

// items reads expressions up to a bracket.
func (p *parser) items(end string) ([]expr, error) {
	var out []expr
	for !p.op(end) {
		if len(out) > 0 {
			if err := p.want(tokOp, ","); err != nil {
				return nil, err
			}
			if p.op(end) {
				break
			}
		}
		e, err := p.expr()
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}
