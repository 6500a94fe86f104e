package jinja

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// style is how JSON is written, as the arguments of Python's json.dumps say.
type style struct {
	ascii       bool
	indent      string
	lines       bool // there is an indent
	item, colon string
	sorted      bool
}

// json writes a value as JSON.
func (r *run) json(b *strings.Builder, v any, st *style, depth int) error {
	if depth > maxNest {
		return errDeep
	}
	if err := r.spend(1); err != nil {
		return err
	}
	was := b.Len()
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case float64:
		switch {
		case math.IsNaN(v):
			b.WriteString("NaN")
		case math.IsInf(v, 0):
			b.WriteString(strings.Replace(floatText(v), "inf", "Infinity", 1))
		default:
			b.WriteString(floatText(v))
		}
	case string:
		jsonText(b, v, st.ascii)
	case markup:
		jsonText(b, string(v), st.ascii)
	case *List:
		return r.jsonItems(b, '[', ']', len(v.Items), st, depth, func(i int) error { return r.json(b, v.Items[i], st, depth+1) })
	case *Dict:
		keys := v.keys
		if st.sorted {
			var err error
			if keys, err = r.sorted(keys, false, func(k any) (any, error) { return k, nil }); err != nil {
				return err
			}
		}
		return r.jsonItems(b, '{', '}', len(keys), st, depth, func(i int) error {
			switch k := keys[i].(type) {
			case string:
				jsonText(b, k, st.ascii)
			case nil, bool, int64, float64:
				b.WriteByte('"')
				if err := r.json(b, k, st, depth+1); err != nil {
					return err
				}
				b.WriteByte('"')
			default:
				return fmt.Errorf("keys must be str, int, float, bool or None, not %s", kind(k))
			}
			b.WriteString(st.colon)
			x, _ := v.Get(keys[i])
			return r.json(b, x, st, depth+1)
		})
	default:
		return fmt.Errorf("object of type %s is not JSON serializable", kind(v))
	}
	return r.alloc(b.Len() - was)
}

func (r *run) jsonItems(b *strings.Builder, open, end byte, n int, st *style, depth int, each func(i int) error) error {
	b.WriteByte(open)
	line := func(depth int) error {
		if !st.lines {
			return nil
		}
		b.WriteByte('\n')
		b.WriteString(strings.Repeat(st.indent, depth))
		return r.alloc(1 + depth*len(st.indent))
	}
	for i := range n {
		if i > 0 {
			b.WriteString(st.item)
		}
		if err := line(depth + 1); err != nil {
			return err
		}
		if err := each(i); err != nil {
			return err
		}
	}
	if n > 0 {
		if err := line(depth); err != nil {
			return err
		}
	}
	b.WriteByte(end)
	return r.alloc(2 + n*len(st.item))
}

func jsonText(b *strings.Builder, s string, ascii bool) {
	b.WriteByte('"')
	for _, c := range s {
		if k := strings.IndexRune("\"\\\n\r\t\f\b", c); k >= 0 {
			b.WriteByte('\\')
			b.WriteByte(`"\nrtfb`[k])
			continue
		}
		switch {
		case c < 0x20 || ascii && c > 0x7e && c < 0x10000:
			fmt.Fprintf(b, `\u%04x`, c)
		case ascii && c >= 0x10000:
			fmt.Fprintf(b, `\u%04x\u%04x`, 0xd800+(c-0x10000)>>10, 0xdc00+(c-0x10000)&0x3ff)
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
}

// FromJSON reads a value; keys of dictionaries stay in their order.
func FromJSON(b []byte) (any, error) {
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	v, err := fromJSON(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("something stands behind the value")
	}
	return v, nil
}

func fromJSON(d *json.Decoder, depth int) (any, error) {
	if depth > maxNest {
		return nil, errDeep
	}
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Number:
		if !strings.ContainsAny(string(t), ".eE") {
			i, err := t.Int64()
			return i, err
		}
		f, err := t.Float64()
		return f, err
	case json.Delim:
		if t == '[' {
			l := &List{}
			for d.More() {
				v, err := fromJSON(d, depth+1)
				if err != nil {
					return nil, err
				}
				l.Items = append(l.Items, v)
			}
			_, err = d.Token()
			return l, err
		}
		out := NewDict()
		for d.More() {
			k, err := d.Token()
			if err != nil {
				return nil, err
			}
			v, err := fromJSON(d, depth+1)
			if err != nil {
				return nil, err
			}
			out.Set(k, v)
		}
		_, err = d.Token()
		return out, err
	}
	return t, nil
}
