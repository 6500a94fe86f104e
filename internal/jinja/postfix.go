package jinja

// postfix reads attributes, items and calls.
func (p *parser) postfix(e expr) (expr, error) {
	for n := 0; ; n++ {
		if n > maxNest {
			return nil, p.errorf("a chain of more than %d attributes and calls", maxNest)
		}
		line := p.peek().line
		switch {
		case p.op("."):
			t := p.next()
			switch t.kind {
			case tokName:
				e = &attr{e, t.text}
			case tokInt:
				v, err := number(t)
				if err != nil {
					return nil, err
				}
				e = &item{e, &literal{v}}
			default:
				return nil, p.errorf("%q is not an attribute", t.text)
			}
		case p.op("["):
			k, err := p.subscript(e)
			if err != nil {
				return nil, err
			}
			e = k
		case p.is(tokOp, "("):
			c, err := p.args()
			if err != nil {
				return nil, err
			}
			e = &callExpr{e, c, line}
		default:
			return e, nil
		}
	}
}

func (p *parser) subscript(e expr) (expr, error) {
	var part [3]expr
	n := 0
	for {
		if !p.is(tokOp, ":") && !p.is(tokOp, "]") {
			x, err := p.expr()
			if err != nil {
				return nil, err
			}
			part[n] = x
		}
		if n < 2 && p.op(":") {
			n++
			continue
		}
		break
	}
	if err := p.want(tokOp, "]"); err != nil {
		return nil, err
	}
	if n > 0 {
		return &slice{e, part[0], part[1], part[2]}, nil
	}
	if part[0] == nil {
		return nil, p.errorf("brackets hold nothing")
	}
	return &item{e, part[0]}, nil
}

// args reads the arguments of a call.
func (p *parser) args() (call, error) {
	var c call
	if err := p.want(tokOp, "("); err != nil {
		return c, err
	}
	for first := true; !p.op(")"); first = false {
		if !first {
			if err := p.want(tokOp, ","); err != nil {
				return c, err
			}
			if p.op(")") {
				break
			}
		}
		var err error
		switch {
		case p.op("**"):
			c.stars, err = p.expr()
		case p.op("*"):
			c.star, err = p.expr()
		default:
			named := p.peek().kind == tokName && p.toks[p.at+1].kind == tokOp && p.toks[p.at+1].text == "="
			if named {
				c.names = append(c.names, p.next().text)
				p.next()
			} else if len(c.names) > 0 {
				return c, p.errorf("an argument without a name stands behind one with a name")
			}
			var e expr
			e, err = p.expr()
			c.args = append(c.args, e)
		}
		if err != nil {
			return c, err
		}
	}
	return c, nil
}

// filters reads filters and tests.
func (p *parser) filters(e expr) (expr, error) {
	for n := 0; ; n++ {
		if n > maxNest {
			return nil, p.errorf("a chain of more than %d filters", maxNest)
		}
		var err error
		switch {
		case p.is(tokOp, "|"):
			e, err = p.filterRest(e)
		case p.is(tokName, "is"):
			e, err = p.test(e)
		case p.is(tokOp, "("):
			line := p.peek().line
			var c call
			c, err = p.args()
			e = &callExpr{e, c, line}
		default:
			return e, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// filterRest reads filters, each after a stroke.
func (p *parser) filterRest(e expr) (expr, error) {
	for n := 0; p.op("|"); n++ {
		if n > maxNest {
			return nil, p.errorf("a chain of more than %d filters", maxNest)
		}
		var err error
		if e, err = p.filter(e); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// filterChain reads filters of which the first has no stroke before it.
func (p *parser) filterChain(e expr) (expr, error) {
	e, err := p.filter(e)
	if err != nil {
		return nil, err
	}
	return p.filterRest(e)
}

func (p *parser) filter(e expr) (expr, error) {
	f := &filter{of: e, line: p.peek().line}
	var err error
	if f.name, err = p.name(); err != nil {
		return nil, err
	}
	if filterNames[f.name] == nil {
		return nil, p.errorf("the filter %q is not supported", f.name)
	}
	if p.is(tokOp, "(") {
		f.call, err = p.args()
	}
	return f, err
}

func (p *parser) test(e expr) (expr, error) {
	p.next()
	not := p.word("not")
	t := &test{of: e, line: p.peek().line}
	var err error
	if t.name, err = p.name(); err != nil {
		return nil, err
	}
	if testNames[t.name] == nil {
		return nil, p.errorf("the test %q is not supported", t.name)
	}
	k := p.peek()
	switch {
	case k.kind == tokOp && k.text == "(":
		t.call, err = p.args()
	case k.kind == tokName && k.text != "else" && k.text != "or" && k.text != "and" && k.text != "if" && k.text != "is" && k.text != "not" && k.text != "in" && k.text != "recursive",
		k.kind == tokString, k.kind == tokInt, k.kind == tokFloat, k.kind == tokOp && (k.text == "[" || k.text == "{"):
		var a expr
		if a, err = p.primary(); err == nil {
			a, err = p.postfix(a)
		}
		t.args = []expr{a}
	case k.kind == tokName && k.text == "is":
		err = p.errorf("a test of a test")
	}
	if not {
		return &unary{"not", t}, err
	}
	return t, err
}
