package interop

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pare/tokenizer/chat"
)

type chatJob struct {
	Template string                     `json:"template"`
	Values   map[string]json.RawMessage `json:"values"`
	Now      string                     `json:"now"`
}

type chatAnswer struct {
	Text    string `json:"text"`
	Refused string `json:"refused"`
}

// chatTemplates are short equivalents of templates that families of models have.
var chatTemplates = map[string]string{
	"smollm2": `{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system
You are a helper<|im_end|>
' }}{% endif %}{{'<|im_start|>' + message['role'] + '
' + message['content'] + '<|im_end|>' + '
'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant
' }}{% endif %}
`,
	"qwen": `{%- if tools %}
    {{- '<|im_start|>system\n' }}
    {%- if messages[0]['role'] == 'system' %}
        {{- messages[0]['content'] }}
    {%- else %}
        {{- 'Default.' }}
    {%- endif %}
    {{- "\n\n# Tools\n<tools>" }}
    {%- for tool in tools %}
        {{- "\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\n</tools>{\"name\": <name>}<|im_end|>\n" }}
{%- else %}
    {%- if messages[0].role == 'system' %}
        {{- '<|im_start|>system\n' + messages[0].content + '<|im_end|>\n' }}
    {%- endif %}
{%- endif %}
{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or (message.role == "assistant" and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>' + '\n' }}
    {%- elif message.role == "assistant" %}
        {{- '<|im_start|>' + message.role }}
        {%- if message.content %}
            {{- '\n' + message.content.split('</think>')[-1].lstrip('\n') }}
        {%- endif %}
        {%- for tool_call in message.tool_calls %}
            {%- if tool_call.function is defined %}
                {%- set tool_call = tool_call.function %}
            {%- endif %}
            {{- '\n<tool_call>\n{"name": "' }}
            {{- tool_call.name }}
            {{- '", "arguments": ' }}
            {{- tool_call.arguments | tojson }}
            {{- '}\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\n' }}
    {%- elif message.role == "tool" %}
        {%- if (loop.index0 == 0) or (messages[loop.index0 - 1].role != "tool") %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\n<tool_response>\n' }}
        {{- message.content }}
        {{- '\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}
            {{- '<|im_end|>\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\n\n</think>\n\n' }}
    {%- endif %}
{%- endif %}`,
	"llama3": `{{- bos_token }}
{%- if custom_tools is defined %}{%- set tools = custom_tools %}{%- endif %}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}
{#- This block extracts the system message. #}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\n\n" }}
{%- if tools is not none %}
    {{- "Environment: ipython\n" }}
{%- endif %}
{{- "Today Date: " + date_string + "\n\n" }}
{%- if tools is not none %}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\n\n" }}
    {%- endfor %}
{%- endif %}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("This model only supports single tool-calls at once!") }}
        {%- endif %}
        {%- set tool_call = message.tool_calls[0].function %}
        {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' -}}
        {{- '{"name": "' + tool_call.name + '", ' }}
        {{- '"parameters": ' }}
        {{- tool_call.arguments | tojson }}
        {{- "}" }}
        {{- "<|eot_id|>" }}
    {%- elif message.role == "tool" or message.role == "ipython" %}
        {{- "<|start_header_id|>ipython<|end_header_id|>\n\n" }}
        {%- if message.content is mapping or message.content is iterable %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
        {{- "<|eot_id|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
{%- endif %}`,
	"mistral": `{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{%- if not tools is defined %}{%- set tools = none %}{%- endif %}
{%- set user_messages = loop_messages | selectattr("role", "equalto", "user") | list %}
{%- set ns = namespace() %}
{%- set ns.index = 0 %}
{%- for message in loop_messages %}
    {%- if not (message.role == "tool" or (message.tool_calls is defined and message.tool_calls is not none)) %}
        {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}
            {{- raise_exception("After the optional system message, conversation roles must alternate user/assistant/user/assistant/...") }}
        {%- endif %}
        {%- set ns.index = ns.index + 1 %}
    {%- endif %}
{%- endfor %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if tools is not none and (message == user_messages[-1]) %}
            {{- "[AVAILABLE_TOOLS] [" }}
            {%- for tool in tools %}
                {%- set tool = tool.function %}
                {{- '{"type": "function", "function": {' }}
                {%- for key, val in tool.items() if key != "return" %}
                    {%- if val is string %}
                        {{- '"' + key + '": "' + val + '"' }}
                    {%- else %}
                        {{- '"' + key + '": ' + val|tojson }}
                    {%- endif %}
                    {%- if not loop.last %}
                        {{- ", " }}
                    {%- endif %}
                {%- endfor %}
                {{- "}}" }}
                {%- if not loop.last %}
                    {{- ", " }}
                {%- else %}
                    {{- "]" }}
                {%- endif %}
            {%- endfor %}
            {{- "[/AVAILABLE_TOOLS]" }}
        {%- endif %}
        {%- if loop.last and system_message is defined %}
            {{- "[INST] " + system_message + "\n\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- endif %}
    {%- elif message.tool_calls is defined and message.tool_calls is not none %}
        {{- "[TOOL_CALLS] [" }}
        {%- for tool_call in message.tool_calls %}
            {%- set out = tool_call.function|tojson %}
            {{- out[:-1] }}
            {%- if not tool_call.id is defined or tool_call.id|length != 9 %}
                {{- raise_exception("Tool call IDs should be alphanumeric strings with length 9!") }}
            {%- endif %}
            {{- ', "id": "' + tool_call.id + '"}' }}
        {%- endfor %}
        {{- "]" + eos_token }}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"]|trim + eos_token}}
    {%- elif message["role"] == "tool" %}
        {{- '[TOOL_RESULTS] {"content": ' + message.content|string + "}[/TOOL_RESULTS]" }}
    {%- else %}
        {{- raise_exception("Only user and assistant roles are supported, with the exception of an initial optional system message!") }}
    {%- endif %}
{%- endfor %}`,
	"gemma": `{{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}
    {%- if messages[0]['content'] is string -%}
        {%- set first_user_prefix = messages[0]['content'] + '

' -%}
    {%- else -%}
        {%- set first_user_prefix = messages[0]['content'][0]['text'] + '

' -%}
    {%- endif -%}
    {%- set loop_messages = messages[1:] -%}
{%- else -%}
    {%- set first_user_prefix = "" -%}
    {%- set loop_messages = messages -%}
{%- endif -%}
{%- for message in loop_messages -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception("Conversation roles must alternate user/assistant/user/assistant/...") }}
    {%- endif -%}
    {%- if (message['role'] == 'assistant') -%}
        {%- set role = "model" -%}
    {%- else -%}
        {%- set role = message['role'] -%}
    {%- endif -%}
    {{ '<start_of_turn>' + role + '
' + (first_user_prefix if loop.first else "") }}
    {%- if message['content'] is string -%}
        {{ message['content'] | trim }}
    {%- elif message['content'] is iterable -%}
        {%- for item in message['content'] -%}
            {%- if item['type'] == 'image' -%}
                {{ '<start_of_image>' }}
            {%- elif item['type'] == 'text' -%}
                {{ item['text'] | trim }}
            {%- endif -%}
        {%- endfor -%}
    {%- else -%}
        {{ raise_exception("Invalid content type") }}
    {%- endif -%}
    {{ '<end_of_turn>
' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{'<start_of_turn>model
'}}
{%- endif -%}`,
	"macros": `{% macro show(m, sep=': ', *) %}{% endmacro %}`,
	"nested": `{%- macro type_of(p, deep=0) -%}
{%- if p.type == "array" %}[{{ type_of(p['items'], deep + 1) }}]{% elif p.enum is defined %}{{ p.enum|join(" | ") }}{% else %}{{ p.type|default("any", true) }}{% if deep %}^{{ deep }}{% endif %}{% endif -%}
{%- endmacro -%}
{% for t in tools or [] %}
{% set f = t.function %}
// {{ f.description|replace("\n", "\n// ") }}
type {{ f.name }} = (_: {
{% for k, p in f.parameters.properties|dictsort %}
  {% if k in f.parameters.required|default([]) %}{{ k }}: {% else %}{{ k ~ "?: " }}{% endif %}{{ type_of(p) }}{{ "," if not loop.last }}
{% endfor %}
})
{% endfor %}
{% for m in messages %}{% if m.role == "tool" %}{% continue %}{% endif %}{% generation %}{{ m.role|upper }}{% endgeneration %} {{ loop.cycle("a", "b") }}{% if loop.index > 3 %}{% break %}{% endif %}

{% endfor %}
{% filter indent(2, true) %}x
  y{% endfilter %}{% call(u) outer() %}{{ u }}{% endcall %}`,
}

// expressions are what templates may have, on the values s, n, f, l, d and messages.
var expressions = []string{
	"{{ s[1:4] }} {{ s|length }} {{ s[-1] }} {{ s[::2] }} {{ s[::-1] }} {{ s[10:2:-3] }} {{ s[5] }}|{{ s[99] }}|", "a {% if true %}\n  b\n  {% endif %}\nc\n\n", "  {% if true -%}  x  {%- endif %}  \n  {%+ if true +%}\n y {% endif %}z",
	"{{ 7//2 }} {{ -7//2 }} {{ -7 % 3 }} {{ 7/2 }} {{ 4/2 }} {{ 2**3 }} {{ 2**-1 }} {{ 7.5//2 }} {{ -7.5 % 2 }} {{ 1e16 }} {{ 1e-5 }} {{ 100000.0 }} {{ 1_000 }} {{ -2**2 }}",
	"{{ d }} {{ d|tojson }} {{ l }} {{ l|tojson(indent=2) }} {{ [] }} {{ {} }} {{ (1,) }} {{ () }} {{ [[]]|tojson(indent=1) }}", "{{ d|tojson(ensure_ascii=true, sort_keys=true, separators=(',', ':')) }}",
	"{% for m in messages %}{% if loop.first %}{% continue %}{% endif %}x{{ loop.index }}{{ loop.revindex0 }}{{ loop.previtem.role }}{{ loop.nextitem is defined }}{% else %}none{% endfor %}", "{% for x in [] %}a{% else %}b{% endfor %}",
	"{% set ns = namespace(x=1) %}{% for i in range(3) %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}{% set y = 1 %}{% for i in [1,2] %}{% set y = y + i %}{{ y }}{% endfor %}{{ y }}", "{{ 'a' ~ 1 ~ none ~ true ~ 1.0 ~ [1] }}",
	"{{ ['a', 1.5, none, {'k': \"it's\"}, 'q\"', '\\n\\x00é😀'] }}", "{{ messages[0]['nope'] is defined }} {{ messages[0].nope }}|{{ nope }}|{{ nope is undefined }}|{{ nope|default('x') }}|{{ ''|default('y', true) }}", "{{ messages[0].nope.x }}", "{{ nope + 'x' }}", "{{ nope() }}", "{{ nope[0] }}",
	"{{ 1 if false }}|{{ 'a' if n > 2 else 'b' }}|{{ 1 if 0 else 2 if 0 else 3 }}", "{{ s.split(' ')[-1].strip() }} {{ ' a  b '.split() }} {{ 'a,b,c'.split(',', 1) }} {{ 'a,b,c'.rsplit(',', 1) }} {{ 'a b c'.rsplit(none, 1) }} {{ 'x'.split(',') }} {{ ''.split() }} {{ ''.split(',') }}",
	"{% macro f(x, y=2, z=none) %}{{ x }}-{{ y }}-{{ z }}{% endmacro %}{{ f(1) }} {{ f(1, y=3) }} {{ f(z=1, x=2) }} {{ f() }}", "{% macro f() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1, 2, a=3) }}", "{% macro f(x) %}{% endmacro %}{{ f(1, 2) }}", "{% macro f(x) %}[{{ caller(x) }}]{% endmacro %}{% call(v) f('q') %}<{{ v }}>{% endcall %}",
	"{{ [1,2,3][::-1] }} {{ 'abc'[::-1] }} {{ l[1:] }} {{ l[-2:] }} {{ (1,2,3)[1:] }}", "{{ 3 * 'ab' }} {{ 'ab' * 0 }} {{ [1] * 3 }} {{ true + 1 }} {{ 'a' 'b' }}", "{{ 1 < n < 5 }} {{ 1 < n > 5 }} {{ n == 3.0 }} {{ true == 1 }} {{ '1' == 1 }} {{ none == false }} {{ [1,2] == [1,2] }} {{ {'a': 1} == {'a': 1.0} }} {{ (1,) == [1] }} {{ [1,2] < [1,3] }}",
	"{{ d.items()|list }} {{ d.keys()|list }} {{ d.values()|list }} {{ d.get('zz', 4) }} {{ d.get('zz') }} {{ d|items|list }} {{ 'b' in d }} {{ d|length }} {{ d['items'] }} {{ d|dictsort }} {{ d|dictsort(by='value', reverse=true) }}",
	"{%- set x %}hello {{ n }}{% endset -%}{{ x }}{% set z | upper %}abc{% endset %}{{ z }}", "{{ '<&>' }} {{ {'x':'<é>\u2028'}|tojson }} {{ '<a>'|e }} {{ '<a>'|safe }} {{ '\"\\\\/'|tojson }}", "{{ not n == 3 }} {{ n in [3] and n not in [2] }} {{ n is not none }} {{ not n is none }} {{ 'a' in 'abc' }} {{ 'x' not in s }} {{ 1 or 2 }} {{ 0 or '' }} {{ 1 and [] }}",
	"{{ '%s-%d' % ('a', 3) }} {{ 'x{}{1}{{'.format(1, 2) if false else 'x{}y{}'.format(1, 2) }} {{ '%.2f %5d|%-4s|%x' % (1.005, 3, 'q', 255) }} {{ '%s'|format(1) }}", "{% filter upper %}abc{% endfilter %}", "{# c #}a{#- c -#}  b {# multi\nline #}\n c", "{% raw %}{{ x }}{% endraw %}\n{%- raw -%}  {% y %} {%- endraw -%}  z",
	"{{ s|upper }} {{ s|title }} {{ s|capitalize }} {{ 'HELLO wORLD-foo (bar)'|title }} {{ \"it's\".title() }} {{ 'éa'.capitalize() }} {{ 'ß'|upper }}", "{{ l|first }} {{ l|last }} {{ l|max }} {{ l|min }} {{ l|sum }} {{ l|sort }} {{ l|sort(reverse=true) }} {{ l|reverse|list }} {{ l|unique|list }} {{ ['b','A','c']|sort }} {{ ['b','A','c']|sort(case_sensitive=true) }} {{ 'abc'|reverse }} {{ []|first }}",
	"{{ messages|map(attribute='role')|list }} {{ messages|map(attribute='x', default='-')|join(', ') }} {{ messages|selectattr('role', 'equalto', 'user')|list|length }} {{ messages|rejectattr('role', 'in', ['user'])|map(attribute='role')|join }} {{ ['a','b']|map('upper')|list }} {{ [1,2,3]|select('odd')|list }} {{ [0,1]|reject|list }} {{ messages|selectattr('tool_calls')|list|length }}",
	"{{ [1,2,3,4,5]|batch(2)|list }} {{ [1,2,3]|batch(2, 0)|list }} {{ messages|groupby('role')|map(attribute='grouper')|list if false }} {{ messages|sort(attribute='role')|map(attribute='role')|list }}", "{{ 'a\nb\n\nc'|indent }}|{{ 'a\nb'|indent(2, true) }}|{{ 'a\n\nb'|indent('> ', blank=true) }}", "{{ '3'|int + 1 }} {{ 'x'|int }} {{ 'x'|int(5) }} {{ '3.7'|int }} {{ '2.5'|float }} {{ 3.7|int }} {{ 'ff'|int(base=16) }} {{ 42|string + 'x' }} {{ 2.5|round }} {{ 3.14159|round(2) }} {{ 2.1|round(0, 'ceil') }} {{ -3|abs }}",
	"{{ n is odd }} {{ n is divisibleby 3 }} {{ n is number }} {{ s is string }} {{ d is mapping }} {{ l is iterable }} {{ l is sequence }} {{ f is float }} {{ n is integer }} {{ true is integer }} {{ true is boolean }} {{ none is none }} {{ n is eq 3 }} {{ n is in [1, 3] }} {{ 'A' is upper }} {{ 'a' is lower }} {{ n is gt(2) and n is lt(4) }} {{ true is true }} {{ 1 is true }} {{ n is sameas n }} {{ raise_exception is callable }}",
	"{{ raise_exception('no: ' ~ n) }}", "{{ strftime_now('%d %b %Y %H:%M:%S %A %B %y %j %-d %%') }}", "{{ 1/0 }}", "{{ 'a' + 1 }}", "{{ none.x }}|{{ none['x'] }}", "{{ [1]|tojson }}{{ nope|tojson }}", "{{ messages.append(1) }}", "{{ l.append(1) }}", "{{ d.update({}) }}", "{{ range(200000)|length }}", "{{ range(3)|list }} {{ range(5, 1, -2)|list }} {{ range(2, 4)|list }}",
	"{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{% for k in d %}{{ k }}{% endfor %}{% for c in 'añ' %}{{ c }},{% endfor %}{% for a, b in [(1, 2), [3, 4]] %}{{ a }}{{ b }}{% endfor %}", "{% for a, b in [(1, 2, 3)] %}{% endfor %}", "{% for x in 5 %}{% endfor %}", "{% for x in none %}{% endfor %}", "{% for x in nope %}a{% endfor %}ok",
	"{% for i in [1,2,3,4] if i % 2 == 0 %}{{ i }}{{ loop.index }}{{ loop.length }}{% endfor %}", "{% for x in [{'v': 1, 'c': [{'v': 2, 'c': []}]}] recursive %}{{ x.v }}({{ loop(x.c) }}){% endfor %}", "{% with a = 1, b = n %}{{ a }}{{ b }}{% set c = 1 %}{% endwith %}{{ a is defined }}{{ c is defined }}", "{% if 0 %}a{% elif n %}b{% else %}c{% endif %}",
	"{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set t = 1, 2 %}{{ t }}", "{{ s.upper().lower().replace('l', 'L', 1) }} {{ 'abc'.find('c') }} {{ 'abc'.find('x') }} {{ 'aXbX'.count('X') }} {{ 'abc'.startswith(('x', 'a')) }} {{ '-'.join(['a', 'b']) }} {{ 'a b'.isalpha() }} {{ '12'.isdigit() }} {{ 'xxaxx'.strip('x') }} {{ 'a\nb\r\nc\n'.splitlines() }} {{ 'abc'.removeprefix('a') }} {{ 'a=b'.partition('=') }}",
	"{{ s|trim }}|{{ ' a '|trim }}|{{ 'xax'|trim('x') }}|{{ [1, 'a', none]|join('-') }}|{{ messages|join('|', attribute='role') }}|{{ 'a b_c, d'|wordcount }}|{{ 'aab'|replace('a', 'x', 1) }}|{{ 12|replace(1, 3) }}", "{{ {'a': {'b': [1, {'c': 2}]}}.a.b[1].c }} {{ messages[0].content }} {{ messages[-1]['content'] }} {{ messages[0]['con' ~ 'tent'] }} {{ l.0 }}",
	"{{ 'a' < 'b' }} {{ 'a' < 1 }}", "{{ dict(a=1, b=2) }} {{ dict({'x': 1}, y=2) }} {{ namespace(a=1).a }} {{ {1: 'a', true: 'b', none: 'c'} }} {{ {1: 'a'}[1.0] }}", "{{ [1, [2, [3]]]|tojson }} {{ 1.0|tojson }} {{ none|tojson }} {{ true|tojson }} {{ 'é'|tojson }} {{ 1e100|tojson }} {{ {1: 2, none: 3, true: 4}|tojson }}", "{{ f(*[1]) if false }}{% macro g(a, b) %}{{ a }}{{ b }}{% endmacro %}{{ g(*[1, 2]) }}{{ g(**{'a': 1, 'b': 2}) }}",
	"{{ n|round }} {{ true|round(1) }} {{ 1250|round(-2) }} {{ 7|round(0, 'floor') }} {{ '0x1F'|int(base=16) }} {{ '0b11'|int(base=2) }} {{ '0x1f'|int }} {{ 1.0 // 0.1 }} {{ -7.5 // 2 }} {{ -4.0 % 2 }} {{ 7.5 % -2 }} {{ -0.0 // 2 }} {{ (1,) in d }}",
	"{{ nope|int }}", "{{ nope|float(1) }}", "{{ [1]|indent }}", "{{ [1] in d }}", "{{ 0 ** -1 }}",
	"{% break %}", "{{ ", "{% if %}", "{% endif %}", "{{ a b }}", "{{ 'x }}", "{% for %}{% endfor %}", "{{ x|nofilter }}", "{{ x is notest }}", "{% unknown %}", "{{ (1 }}", "{{ [1, 2 }}", "{{ {'a' 1} }}", "{% raw %}x", "{# x", "{{ 1 ~ }}", "{{ 'a'.__class__ }}", "{{ ''.__class__.__mro__ }}", "{{ messages.__init__ }}",
	"\n{%- if true %}\n\n a\n{%- endif %}\n\n", "a\r\nb\rc\n", "{{ 'a\\tb\\u00e9\\x41\\101\\q' }}", "{% if n == 3 and (s or l) and not nope %}y{% endif %}", "{{ s if s is string and s|length > 2 else 'z' }}", "{{ messages|length - 1 }} {{ -n }} {{ +n }} {{ - n + 5 }} {{ n - -1 }} {{ 2 - 1 - 1 }} {{ 2 * 3 ~ 4 + 1 }} {{ 'a' ~ 'b' * 2 }} {{ n|string|length }} {{ (n + 1)|string }} {{ -n|abs }}",
	"x\n   {# c #}\ny\n   {{ n }}\n {% set a = 1 %}   \nz", "{{ loop is defined }}{% for i in [1] %}{{ loop.depth }}{{ loop.changed(i) }}{% endfor %}", "{% macro m() %}{{ later }}{% endmacro %}{% set later = 5 %}{{ m() }}", "{{ l is not string and l is iterable }}", "{{ (s.split('ö') | first).rstrip() }}", "{% set x = {'a': 1} %}{{ x.a }}{{ x['b'] is defined }}{{ x.b|default(none) is none }}",
}

// Texts of conversations are those of Jinja2 with transformers' settings; what it
// refuses is refused.
func TestChat(t *testing.T) {
	py := python(t, "jinja2")
	talks := []string{
		`[{"role": "user", "content": " hi\n "}]`,
		`[{"role": "system", "content": "Be brief. "}, {"role": "user", "content": "Grüße, 世界 😀"}, {"role": "assistant", "content": "<think>a</think>\n\nhello "}, {"role": "user", "content": "and \"more\" <b>?"}]`,
		`[{"role": "user", "content": "weather?"}, {"role": "assistant", "content": "", "tool_calls": [{"id": "abcdefghi", "type": "function", "function": {"name": "get", "arguments": {"z": 1.0, "a": [true, null, "é"]}}}]}, {"role": "tool", "content": "12"}, {"role": "tool", "content": "13"}, {"role": "assistant", "content": "cold"}, {"role": "user", "content": "thanks"}]`,
		`[{"role": "assistant", "content": "I begin"}, {"role": "assistant", "content": "again"}]`,
		`[]`,
		`[{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": " what? "}]}]`,
	}
	tools := `[{"type": "function", "function": {"name": "get", "description": "Gets\nthe weather", "parameters": {"type": "object", "properties": {"where": {"type": "string"}, "days": {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}}, "unit": {"enum": ["c", "f"]}}, "required": ["where"]}, "return": "x"}}]`
	var jobs []chatJob
	add := func(template string, values map[string]string) {
		job := chatJob{template, map[string]json.RawMessage{"bos_token": json.RawMessage(`"<s>"`), "eos_token": json.RawMessage(`"</s>"`), "documents": json.RawMessage("null")}, "2026-03-07T08:09:05"}
		for k, v := range values {
			job.Values[k] = json.RawMessage(v)
		}
		jobs = append(jobs, job)
	}
	for _, name := range slices.Sorted(maps.Keys(chatTemplates)) {
		for _, talk := range talks {
			for _, prompt := range []string{"true", "false"} {
				add(chatTemplates[name], map[string]string{"messages": talk, "tools": "null", "add_generation_prompt": prompt})
				add(chatTemplates[name], map[string]string{"messages": talk, "tools": tools, "add_generation_prompt": prompt, "enable_thinking": "false"})
			}
		}
	}
	for _, e := range expressions {
		add(e, map[string]string{"messages": talks[2], "tools": "null", "add_generation_prompt": "false", "s": `"héé wörld\n"`, "n": "3", "f": "2.5", "l": "[3, 1, 2, 1]", "d": `{"b": 1, "a": 2, "items": "é\u001f"}`})
	}
	bad := 0
	for i, want := range ask[chatJob, chatAnswer](t, py, "chat.py", t.TempDir(), jobs) {
		got, err := rendered(jobs[i])
		if (err != nil) != (want.Refused != "") || got != want.Text {
			if bad++; bad <= 40 {
				t.Errorf("%q:\n%q, %v\nwant\n%q, %s", jobs[i].Template[:min(len(jobs[i].Template), 300)], got, err, want.Text, want.Refused)
			}
		}
		if msg, ok := strings.CutPrefix(want.Refused, "TemplateError: "); ok && err != nil && !strings.Contains(err.Error(), msg) {
			t.Errorf("refused with %v, not with %q", err, msg)
		}
	}
	t.Logf("%d templates and conversations, %d differ", len(jobs), bad)
}

func rendered(job chatJob) (string, error) {
	tpl, err := chat.Parse(job.Template)
	if err != nil {
		return "", err
	}
	c := chat.Conversation{BOS: "<s>", EOS: "</s>", Variables: maps.Clone(job.Values)}
	if c.Now, err = time.Parse("2006-01-02T15:04:05", job.Now); err != nil {
		return "", err
	}
	var messages []json.RawMessage
	if err := json.Unmarshal(job.Values["messages"], &messages); err != nil {
		return "", err
	}
	for _, m := range messages {
		c.Messages = append(c.Messages, chat.Message{JSON: m})
	}
	if err := json.Unmarshal(job.Values["tools"], &c.Tools); err != nil {
		return "", err
	}
	c.Prompt = string(job.Values["add_generation_prompt"]) == "true"
	delete(c.Variables, "messages")
	delete(c.Variables, "tools")
	delete(c.Variables, "add_generation_prompt")
	return tpl.Render(context.Background(), c)
}
