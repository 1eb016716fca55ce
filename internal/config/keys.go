package config

import "strings"

// shape is what a value must look like: a block if it has fields, a list if it
// has items, else a single value.
type shape struct {
	fields []field
	items  *shape
	// alone lets a list of one be written without its brackets or dash.
	alone bool
}

// field is one key of a block.
type field struct {
	name  string
	shape *shape
	// missing says what to write where a compulsory key is absent; empty if the
	// key may be left out.
	missing string
	// private keeps the value out of findings.
	private bool
	// groups leaves ${1} and the like in the value as they are.
	groups bool
}

func (s *shape) kind() kind {
	switch {
	case s.fields != nil:
		return mapping
	case s.items != nil:
		return list
	}
	return scalar
}

func (s *shape) field(name string) (field, bool) {
	for _, f := range s.fields {
		if f.name == name {
			return f, true
		}
	}
	return field{}, false
}

func (s *shape) names() []string {
	names := make([]string, len(s.fields))
	for i, f := range s.fields {
		names[i] = f.name
	}
	return names
}

func block(fields ...field) *shape { return &shape{fields: fields} }
func listOf(items *shape) *shape   { return &shape{items: items} }
func single() *shape               { return &shape{} }

func may(name string, s *shape) field           { return field{name: name, shape: s} }
func must(name, missing string, s *shape) field { return field{name: name, shape: s, missing: missing} }

func (f field) unseen() field {
	f.private = true
	return f
}

func (f field) withGroups() field {
	f.groups = true
	return f
}

func oneOrMore(items *shape) *shape { return &shape{items: items, alone: true} }

// variables calls yield with the name of every variable that sets a single
// value, with # for an index.
func (s *shape) variables(name string, yield func(string)) {
	for _, f := range s.fields {
		f.shape.variables(name+"_"+strings.ToUpper(f.name), yield)
	}
	if s.items != nil {
		s.items.variables(name+"_#", yield)
	}
	if s.kind() == scalar || s.items != nil && s.items.kind() == scalar {
		yield(name)
	}
}
