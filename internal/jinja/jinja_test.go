package jinja

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"
)

func render(t *testing.T, source string, values map[string]any, l Limits) (string, error) {
	t.Helper()
	tpl, err := Parse(source)
	if err != nil {
		return "", err
	}
	return tpl.Render(context.Background(), values, l)
}

// What Jinja2's documentation says of its parts.
func TestRender(t *testing.T) {
	value, err := FromJSON([]byte(`{"b": [1, 2.0, "é"], "a": {"x": null, "y": true}}`))
	if err != nil {
		t.Fatal(err)
	}
	for source, want := range map[string]string{
		"{{ v }}": "{'b': [1, 2.0, 'é'], 'a': {'x': None, 'y': True}}",
		"{{ v|tojson }} {{ v.b[-1] }} {{ v['a'].y }}":                                                      `{"b": [1, 2.0, "é"], "a": {"x": null, "y": true}} é True`,
		"a\n  {% if v %}\n  b\n  {%- endif %}\n\nc":                                                        "a\n  b\nc",
		"{% for x in v.b if x != 1 %}{{ loop.index }}{{ x }}{% endfor %}":                                  "12.02é",
		"{% set n = namespace(i=0) %}{% for x in v.b %}{% set n.i = n.i + 1 %}{% endfor %}{{ n.i }}":       "3",
		"{{ -7 // 2 }} {{ -7 % 3 }} {{ 4 / 2 }} {{ 'ab' * 2 }} {{ v.nope }}|":                              "-4 2 2.0 abab |",
		"{{ 3|round }} {{ true|round(1) }} {{ 1250|round(-2) }} {{ 2.5|round }} {{ 7|round(0, 'floor') }}": "3 1 1200 2.0 7.0",
		"{{ '0x1F'|int(base=16) }} {{ '1f'|int(0, 16) }} {{ '0b11'|int(base=2) }} {{ '0x1f'|int }}":        "31 31 3 0",
		"{{ 1.0 // 0.1 }} {{ -7.5 // 2 }} {{ -4.0 % 2 }} {{ 7.5 % -2 }}":                                   "9.0 -4.0 0.0 -0.5",
		"{{ strftime_now('%-d %B %Y') }}":                                                                  "3 February 2021",
	} {
		got, err := render(t, source, map[string]any{"v": value}, Limits{Clock: func() time.Time { return time.Date(2021, 2, 3, 4, 5, 6, 0, time.UTC) }})
		if err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", source, got, err, want)
		}
	}
	var raised *Raised
	if _, err := render(t, "{{ raise_exception('take turns') }}", nil, Limits{}); !errors.As(err, &raised) || raised.Message != "take turns" {
		t.Errorf("%v", err)
	}
}

// What Python refuses is refused, and not written some way.
func TestRefused(t *testing.T) {
	for source, want := range map[string]string{
		"{{ nope|int }}": "'nope' is undefined", "{{ nope|float(1) }}": "'nope' is undefined", "{{ [1]|indent }}": "not a list", "{{ 2|indent }}": "not a int",
		"{{ [1] in {'a': 1} }}": "unhashable", "{{ 0 ** -1 }}": "negative power", "{{ (-2.0) ** 0.5 }}": "root",
	} {
		if got, err := render(t, source, nil, Limits{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %q, %v, want something with %q", source, got, err, want)
		}
	}
}

// A template that would take all time or memory, or end the program, is an error, soon
// and in little memory.
func TestBounded(t *testing.T) {
	for source, want := range map[string]string{
		"{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}":                                                                       "deep",
		"{% macro f(x) %}{% for y in [1] %}{{ f(x) }}{% endfor %}{% endmacro %}{{ f(1) }}":                                      "deep",
		"{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}{% endfor %}{% endfor %}": "too many",
		"{{ range(10 ** 9)|list }}":                     "too big",
		"{{ 'a' * 10 ** 12 }}":                          "too many bytes",
		"{{ [1] * 10 ** 12 }}":                          "too many bytes",
		"{{ ('a' * 10**6)|replace('a', 'b' * 10**6) }}": "too many bytes",
		"{{ 2 ** 10 ** 10 }}":                           "too large",
		"{{ '%999999999d' % 1 }}":                       "format",
		"{{ 'a'|indent(10**9) }}":                       "too many bytes",
		"{% set ns = namespace(s='x') %}{% for i in range(64) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}":      "too many bytes",
		"{% set ns = namespace(l=[]) %}{% for i in range(999) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}": "deep",
		"{% set ns = namespace(l=[1]) %}{% for i in range(99999) %}{% set ns.l = ns.l + ns.l %}{% endfor %}":   "too many",
		strings.Repeat("(", 5000) + "{{":                                        "",
		"{{ " + strings.Repeat("(", 5000) + strings.Repeat(")", 5000) + " }}":   "deep",
		"{{ " + strings.Repeat("not ", 5000) + "1 }}":                           "deep",
		"{{ " + strings.Repeat("-", 5000) + "1 }}":                              "deep",
		"{{ a" + strings.Repeat("[1", 5000) + strings.Repeat("]", 5000) + " }}": "deep",
		"{{ a" + strings.Repeat(".b", 5000) + " }}":                             "chain",
		"{{ 1" + strings.Repeat("+1", 5000) + " }}":                             "operators",
		strings.Repeat("{% if 1 %}", 5000):                                      "deep",
		"{% include 'x' %}":                                                     `"include" is not supported`,
		"{% import 'x' as y %}":                                                 `"import" is not supported`,
		"{% extends 'x' %}":                                                     `"extends" is not supported`,
		"{{ x|pprint }}":                                                        `the filter "pprint" is not supported`,
		"{{ x is odder }}":                                                      `the test "odder" is not supported`,
		"{{ [].append(1) }}":                                                    "changes a value",
		strings.Repeat("x", MaxTemplate+1):                                      "bytes",
		"\xff":                                                                  "UTF-8",
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := render(t, source, nil, Limits{Bytes: 8 << 20, Steps: 1 << 20})
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want something with %q", source, err, want)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 1<<29 {
			t.Errorf("%.60q takes %d bytes", source, took)
		}
	}
	tpl, err := Parse("{% for a in range(99999) %}{% for b in range(99) %}{% endfor %}{% endfor %}")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := tpl.Render(ctx, nil, Limits{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// Any template is parsed or refused, and rendering ends.
func FuzzRender(f *testing.F) {
	for _, s := range []string{"{% for x in l %}{{ x|upper if loop.first else -x[1:]|length }}{% endfor %}", "{% set x %}a{% endset %}{{ x ~ d.a[0] }}", "{% macro f(a, b=1) %}{{ caller(a) }}{{ kwargs }}{% endmacro %}{% call(y) f(*l, **d) %}{{ y }}{% endcall %}",
		"{{ d|tojson(indent=2)|indent(3)|replace('a', 'b')|trim }}{{ '%5.2f' % 3 }}{{ s.split(none, 1)|join }}", "{% raw %}{{{% endraw -%} {# #}{{ l|sort|batch(2)|map('first')|sum }}", "{% with a = d.items() %}{{ a|groupby(0) }}{% endwith %}{{ l is sameas l }}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		tpl, err := Parse(source)
		if err != nil {
			return
		}
		v, err := FromJSON([]byte(`{"a": [1, "x", 2.5], "b": {"c": null}}`))
		if err != nil {
			t.Fatal(err)
		}
		l, _ := v.(*Dict).Get("a")
		out, err := tpl.Render(context.Background(), map[string]any{"d": v, "l": l, "s": "hé llo"}, Limits{Bytes: 1 << 20, Steps: 1 << 17})
		if err == nil && len(out) > 1<<20 {
			t.Errorf("%d bytes", len(out))
		}
	})
}
