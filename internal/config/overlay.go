package config

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	variablePrefix = "CONSENTGW"
	apiAlias       = "CONSENTGW_API_LISTEN" // says the same as CONSENTGW_LISTEN_API
)

// step is one part of a path: a key, or an index if key is empty.
type step struct {
	key   string
	index int
}

// override is one variable that replaces a value.
type override struct {
	variable, value string
	steps           []step
	shape           *shape
}

// overlay puts the values of CONSENTGW_* variables into the tree.
func (r *reader) overlay(root *node, keys *shape, environ []string) {
	overrides := r.overrides(keys, environ)
	slices.SortStableFunc(overrides, func(a, b override) int {
		return cmp.Or(slices.CompareFunc(a.steps, b.steps, func(x, y step) int {
			return cmp.Or(strings.Compare(x.key, y.key), cmp.Compare(x.index, y.index))
		}), strings.Compare(a.variable, b.variable))
	})
	for i, o := range overrides {
		if i > 0 && slices.Equal(o.steps, overrides[i-1].steps) {
			r.failAt(place{variable: o.variable}, pathOf(o.steps), "%s sets the same value: unset one of the two", overrides[i-1].variable)
			continue
		}
		r.set(root, o)
	}
}

// overrides finds the variables that name a value. Of a variable that stands
// twice the last counts, as it does for the system.
func (r *reader) overrides(keys *shape, environ []string) []override {
	values := map[string]string{}
	for _, e := range environ {
		if name, value, ok := strings.Cut(e, "="); ok && strings.HasPrefix(name, variablePrefix+"_") {
			values[name] = value
		}
	}
	var found []override
	for name, value := range values {
		steps, s, ok := resolve(name, keys)
		if !ok {
			continue
		}
		if s.kind() == mapping || s.kind() == list && s.items.kind() != scalar {
			r.warnAt(place{variable: name}, pathOf(steps), "is ignored: it names %s, and only single values can be set", s.kind())
			continue
		}
		found = append(found, override{name, value, steps, s})
	}
	return found
}

// resolve finds the value that a variable names.
func resolve(name string, keys *shape) ([]step, *shape, bool) {
	if name == apiAlias {
		name = variablePrefix + "_LISTEN_API"
	}
	return walk(strings.TrimPrefix(name, variablePrefix), keys)
}

// walk follows "_PART_PART" down the shape. A key may have underscores itself,
// so every key that fits is tried.
func walk(rest string, s *shape) ([]step, *shape, bool) {
	if rest == "" {
		return nil, s, true
	}
	for _, f := range s.fields {
		after, ok := strings.CutPrefix(rest, "_"+strings.ToUpper(f.name))
		if !ok || after != "" && after[0] != '_' {
			continue
		}
		if steps, end, ok := walk(after, f.shape); ok {
			return slices.Insert(steps, 0, step{key: f.name}), end, true
		}
	}
	if s.items == nil {
		return nil, nil, false
	}
	part, after, more := strings.Cut(rest[1:], "_")
	index, ok := indexOf(part)
	if !ok {
		return nil, nil, false
	}
	if more {
		after = "_" + after
	}
	steps, end, ok := walk(after, s.items)
	return slices.Insert(steps, 0, step{index: index}), end, ok
}

var indexForm = regexp.MustCompile(`^(0|[1-9][0-9]{0,4})$`)

func indexOf(part string) (int, bool) {
	if !indexForm.MatchString(part) {
		return 0, false
	}
	i, err := strconv.Atoi(part)
	return i, err == nil
}

func pathOf(steps []step) string {
	path := ""
	for _, s := range steps {
		if s.key == "" {
			path += "[" + strconv.Itoa(s.index) + "]"
			continue
		}
		path = join(path, s.key)
	}
	return path
}

// set puts one value into the tree, making the blocks on the way that the file
// lacks. A value of the wrong kind on the way stays: structure reports it.
func (r *reader) set(root *node, o override) {
	at := place{variable: o.variable}
	n := root
	for i, s := range o.steps {
		parent := n
		n = parent.descend(s, at)
		if n == nil {
			if parent.kind == list {
				r.failAt(at, pathOf(o.steps), "skips a place: the next free index is %d", len(parent.items))
			}
			return
		}
		if i == len(o.steps)-1 {
			break
		}
		if n.kind == null {
			*n = node{kind: emptyOf(o.steps[i+1]), at: at}
		}
	}
	if o.shape.kind() == scalar {
		*n = node{kind: scalar, at: at, text: o.value}
		return
	}
	*n = node{kind: list, at: at}
	for item := range strings.SplitSeq(o.value, ",") {
		if item = strings.TrimSpace(item); item != "" {
			n.items = append(n.items, &node{kind: scalar, at: at, text: item})
		}
	}
}

func emptyOf(next step) kind {
	if next.key == "" {
		return list
	}
	return mapping
}

// descend returns the child, a new null if the file has none, and nil if n
// cannot have it.
func (n *node) descend(s step, at place) *node {
	if s.key != "" {
		if n.kind != mapping {
			return nil
		}
		if child := n.get(s.key); child != nil {
			return child
		}
		child := &node{kind: null, at: at}
		n.entries = append(n.entries, entry{s.key, at, child})
		return child
	}
	if n.kind != list || s.index > len(n.items) {
		return nil
	}
	if s.index == len(n.items) {
		n.items = append(n.items, &node{kind: null, at: at})
	}
	return n.items[s.index]
}

// strayVariables warns of CONSENTGW_* variables that set nothing but almost do.
// Those that the file asks for by ${env:} are its own.
func (r *reader) strayVariables(keys *shape, environ []string) {
	known := []string{apiAlias}
	keys.variables(variablePrefix, func(name string) { known = append(known, name) })
	seen := map[string]bool{}
	for _, e := range environ {
		name, _, _ := strings.Cut(e, "=")
		if !strings.HasPrefix(name, variablePrefix+"_") || r.asked[name] || seen[name] {
			continue
		}
		seen[name] = true
		if _, _, ok := resolve(name, keys); ok {
			continue
		}
		form, indices := withoutIndices(name)
		if best := closest(form, known); best != "" {
			r.warnAt(place{variable: name}, "", `sets nothing; did you mean "%s"?`, withIndices(best, indices))
		}
	}
}

// withoutIndices replaces the parts of a name that are numbers by #.
func withoutIndices(name string) (form string, indices []string) {
	parts := strings.Split(name, "_")
	for i, p := range parts {
		if _, ok := indexOf(p); ok {
			indices = append(indices, p)
			parts[i] = "#"
		}
	}
	return strings.Join(parts, "_"), indices
}

func withIndices(form string, indices []string) string {
	for _, i := range indices {
		form = strings.Replace(form, "#", i, 1)
	}
	return strings.ReplaceAll(form, "#", "0")
}
