package method

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Setting is one field of a settings struct: its tags flag and doc name and
// explain it, and the struct's value holds the default.
type Setting struct {
	Name, Doc, Type string
	Default         string
	value           reflect.Value
}

// Settings lists the fields of a pointer to a settings struct that have a flag
// tag, and those of the structs embedded in it.
func Settings(p any) []Setting { return settingsOf(reflect.ValueOf(p).Elem()) }

func settingsOf(v reflect.Value) []Setting {
	var out []Setting
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous {
			out = append(out, settingsOf(v.Field(i))...)
			continue
		}
		name := f.Tag.Get("flag")
		if name == "" {
			continue
		}
		out = append(out, Setting{name, f.Tag.Get("doc"), f.Type.Kind().String(), show(v.Field(i)), v.Field(i)})
	}
	return out
}

func show(v reflect.Value) string {
	if s, ok := v.Interface().([]string); ok {
		return strings.Join(s, ",")
	}
	return fmt.Sprint(v.Interface())
}

// String shows the present value; it makes Setting a flag.
func (s *Setting) String() string {
	if !s.value.IsValid() {
		return ""
	}
	return show(s.value)
}

// Set parses a value.
func (s *Setting) Set(x string) error {
	switch s.value.Kind() {
	case reflect.String:
		s.value.SetString(x)
	case reflect.Bool:
		b, err := strconv.ParseBool(x)
		if err != nil {
			return fmt.Errorf("%q is not true or false", x)
		}
		s.value.SetBool(b)
	case reflect.Int:
		n, err := strconv.Atoi(x)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", x)
		}
		s.value.SetInt(int64(n))
	case reflect.Float64:
		f, err := strconv.ParseFloat(x, 64)
		if err != nil {
			return fmt.Errorf("%q is not a number", x)
		}
		s.value.SetFloat(f)
	case reflect.Slice:
		s.value.Set(reflect.ValueOf(strings.Split(x, ",")))
	}
	return nil
}
