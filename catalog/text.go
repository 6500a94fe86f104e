package catalog

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Text is a sentence in which fields of settings stand as {Field}, so that whoever
// shows it can call them by the names that its reader knows: a library by the
// field, a command by the flag.
type Text string

var field = regexp.MustCompile(`\{([A-Z][A-Za-z.]*)\}`)

// String calls fields by their own names.
func (t Text) String() string { return t.With(func(f string) string { return f }) }

// With calls fields by other names.
func (t Text) With(name func(field string) string) string {
	return field.ReplaceAllStringFunc(string(t), func(m string) string { return name(m[1 : len(m)-1]) })
}

// MarshalText writes the text as String does.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// Error is a complaint about settings. Its text names fields as Text does.
type Error struct{ Text Text }

// Error calls fields by their own names.
func (e *Error) Error() string { return e.Text.String() }

// Errorf makes an Error: a field is written {Field}.
func Errorf(format string, a ...any) error { return &Error{Text(fmt.Sprintf(format, a...))} }

// Bad says that a field's value is not what is wanted.
func Bad(field string, value any, want string) error {
	return Errorf("{%s} %v: %s is needed", field, value, want)
}

// Rename writes an error with the fields of the Error inside it called by other
// names.
func Rename(err error, name func(field string) string) string {
	text := err.Error()
	var e *Error
	if errors.As(err, &e) {
		text = strings.Replace(text, e.Error(), e.Text.With(name), 1)
	}
	return text
}
