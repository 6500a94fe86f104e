package catalog

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Setting is one field of a settings struct.
type Setting struct {
	Field   string   `json:"-"`                 // name of the Go field
	Name    string   `json:"name"`              // tag flag: the name on the command line and in files
	Doc     string   `json:"doc"`               // tag doc
	Kind    string   `json:"type"`              // bool, count, number, text, list, or the word of tag kind
	Choices []string `json:"choices,omitempty"` // tag choice, separated by commas: the only values allowed
	Range   string   `json:"range,omitempty"`   // tag range, such as [0,1): the interval that numbers lie in
	Also    []string `json:"also,omitempty"`    // tag also: values allowed outside the range, with a meaning of their own
	Alias   []string `json:"alias,omitempty"`   // tag alias: other names for it
	Auto    string   `json:"auto,omitempty"`    // tag auto: the number that the word auto stands for
	Target  bool     `json:"-"`                 // tag target: it says how much may stay or go; 0 is not asked
	Default string   `json:"default"`           // the value that the struct held when it was listed

	value reflect.Value
}

// Settings lists the fields of a pointer to a struct that have a flag tag, and
// those of the structs embedded in it, in their order.
func Settings(p any) []*Setting { return list(reflect.ValueOf(p).Elem()) }

func list(v reflect.Value) []*Setting {
	var out []*Setting
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name := f.Tag.Get("flag")
		if f.Anonymous && name == "" {
			out = append(out, list(v.Field(i))...)
			continue
		}
		if name == "" {
			continue
		}
		s := &Setting{Field: f.Name, Name: name, Doc: f.Tag.Get("doc"), Kind: f.Tag.Get("kind"), Range: f.Tag.Get("range"), Auto: f.Tag.Get("auto"), Target: f.Tag.Get("target") != "", value: v.Field(i)}
		if s.Kind == "" {
			s.Kind = kind(v.Field(i))
		}
		if c := f.Tag.Get("choice"); c != "" {
			s.Choices = strings.Split(c, ",")
		}
		if a := f.Tag.Get("also"); a != "" {
			s.Also = strings.Split(a, ",")
		}
		if a := f.Tag.Get("alias"); a != "" {
			s.Alias = strings.Split(a, ",")
		}
		s.Default = s.String()
		out = append(out, s)
	}
	return out
}

func kind(v reflect.Value) string {
	if _, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return "text"
	}
	switch v.Kind() {
	case reflect.Bool:
		return "bool"
	case reflect.Int:
		return "count"
	case reflect.Float64:
		return "number"
	case reflect.Slice:
		return "list"
	}
	return "text"
}

// Called says whether a name is the setting's, or one of its others.
func (s *Setting) Called(name string) bool { return s.Name == name || slices.Contains(s.Alias, name) }

// IsList says whether the setting is a list, which may be given item by item.
func (s *Setting) IsList() bool { return s.value.IsValid() && s.value.Kind() == reflect.Slice }

// String is the present value, as Set reads it.
func (s *Setting) String() string {
	if !s.value.IsValid() {
		return ""
	}
	switch x := s.value.Interface().(type) {
	case []string:
		return strings.Join(x, ",")
	case encoding.TextMarshaler:
		b, _ := x.MarshalText() // what has been set can be written
		return string(b)
	default:
		if text := fmt.Sprint(x); s.Auto == "" || text != s.Auto {
			return text
		}
		return auto
	}
}

// auto is the word for a number that is found.
const auto = "auto"

// Set parses a value, and returns an error where it is not one of the field's
// kind, choices or range.
func (s *Setting) Set(x string) error {
	if x == auto && s.Auto != "" {
		x = s.Auto
	}
	if t, ok := s.value.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if err := t.UnmarshalText([]byte(x)); err != nil {
			return Errorf("{%s}: %v", s.Field, err)
		}
		return s.check()
	}
	switch s.value.Kind() {
	case reflect.String:
		s.value.SetString(x)
	case reflect.Bool:
		b, err := strconv.ParseBool(x)
		if err != nil {
			return Bad(s.Field, x, "true or false")
		}
		s.value.SetBool(b)
	case reflect.Int:
		n, err := strconv.Atoi(x)
		if err != nil {
			return Bad(s.Field, x, "a whole number")
		}
		s.value.SetInt(int64(n))
	case reflect.Float64:
		f, err := strconv.ParseFloat(x, 64)
		if err != nil {
			return Bad(s.Field, x, "a number")
		}
		s.value.SetFloat(f)
	case reflect.Slice:
		if s.value.SetZero(); x != "" {
			s.value.Set(reflect.ValueOf(strings.Split(x, ",")))
		}
	default:
		return fmt.Errorf("setting %s is a %v, which cannot be given as text", s.Name, s.value.Type())
	}
	return s.check()
}

// check holds the present value against choices and range.
func (s *Setting) check() error {
	if list, ok := s.value.Interface().([]string); ok {
		for _, x := range list {
			if err := s.chosen(x); err != nil {
				return err
			}
		}
		return nil
	}
	if s.value.Kind() == reflect.String {
		return s.chosen(s.value.String())
	}
	x, ok := s.number()
	if !ok || slices.Contains(s.Also, s.String()) || s.Auto != "" && s.String() == auto {
		return nil
	}
	r := s.Range
	if r == "" {
		r = "(,)"
	}
	in, err := ParseInterval(r)
	if err != nil {
		return fmt.Errorf("setting %s: %w", s.Name, err)
	}
	if in.Has(x) {
		return nil
	}
	want := in.String()
	if also := s.also(); len(also) > 0 {
		want += ", or " + strings.Join(also, " or ")
	}
	return Bad(s.Field, s.String(), want)
}

// also are the words and values outside the range.
func (s *Setting) also() []string {
	if s.Auto == "" {
		return s.Also
	}
	return append(slices.Clone(s.Also), auto)
}

func (s *Setting) number() (float64, bool) {
	switch s.value.Kind() {
	case reflect.Int:
		return float64(s.value.Int()), true
	case reflect.Float64:
		return s.value.Float(), true
	}
	return 0, false
}

// chosen returns an error, with the nearest choice, where x is none.
func (s *Setting) chosen(x string) error {
	if s.Choices == nil || slices.Contains(s.Choices, x) || slices.Contains(s.Also, x) {
		return nil
	}
	text := fmt.Sprintf("{%s} %q: %s is needed", s.Field, x, words(append(slices.Clone(s.Choices), s.Also...)))
	if near := Nearest(x, s.Choices); near != "" {
		text += fmt.Sprintf("; did you mean %s?", near)
	}
	return &Error{Text(text)}
}

// words writes "a, b or c".
func words(w []string) string {
	if len(w) < 2 {
		return strings.Join(w, "")
	}
	return strings.Join(w[:len(w)-1], ", ") + " or " + w[len(w)-1]
}

// Find gives the setting of a name, or an error that suggests the nearest.
func Find(p any, name string) (*Setting, error) {
	var names []string
	for _, s := range Settings(p) {
		if s.Called(name) {
			return s, nil
		}
		names = append(names, s.Name)
	}
	err := fmt.Errorf("there is no setting %q", name)
	if near := Nearest(name, names); near != "" {
		err = fmt.Errorf("%w; did you mean %s?", err, near)
	}
	return nil, err
}

// NameOf is the name of the setting that a field holds; a field that holds none keeps
// its own name.
func NameOf(p any, field string) string {
	for _, s := range Settings(p) {
		if s.Field == field {
			return s.Name
		}
	}
	return field
}

// Set gives a setting by name a value, as a flag or a file writes it.
func Set(p any, name, value string) error {
	s, err := Find(p, name)
	if err != nil {
		return err
	}
	return s.Set(value)
}

// Validate returns an error that names the first field whose value is not among
// its choices or in its range. A number is never NaN or infinite.
func Validate(p any) error {
	for _, s := range Settings(p) {
		if err := s.check(); err != nil {
			return err
		}
	}
	return nil
}

// Values are all settings by name, as text.
func Values(p any) map[string]string {
	out := map[string]string{}
	for _, s := range Settings(p) {
		out[s.Name] = s.String()
	}
	return out
}
