package model

import (
	"strings"

	"pare/catalog"
)

// SettingName is the name under which flags and files give the field that a message
// of a method means (see catalog.Text): one of the method, which may be nil, of the
// recipe, or of the job. The field keeps its own name where it is none of these.
func SettingName(m Method, field string) string {
	if name, ok := strings.CutPrefix(field, "Recipe."); ok {
		return catalog.NameOf(&Recipe{}, name)
	}
	switch field {
	case "Data", "Seed", "Resume", "Force", "Reference", "Teacher":
		return strings.ToLower(field)
	case "OutputOf":
		return "output-of"
	case "Sizes":
		return "size"
	case "Shape":
		return "input"
	}
	if m == nil {
		return field
	}
	return catalog.NameOf(m, field)
}
