package config

import "strconv"

// structure holds the tree against the known keys: unknown, repeated and
// missing keys, and blocks where lists belong. What it finds wrong becomes
// broken.
func (r *reader) structure(n *node, s *shape, path string) {
	n.path = path
	switch {
	case n.kind == broken:
		return
	case n.kind == null:
		r.fail(n, "has no value: give it one, or leave the key out")
		n.kind = broken
		return
	case n.kind != s.kind():
		r.fail(n, "must be %s, is %s", s.kind(), n.kind)
		n.kind = broken
		return
	}
	for i, item := range n.items {
		r.structure(item, s.items, path+"["+strconv.Itoa(i)+"]")
	}
	if n.kind == mapping {
		r.keys(n, s)
	}
}

// gather puts a block that stands alone where a list of blocks may, into one.
func gather(n *node, s *shape) {
	if n.kind == mapping && s.alone {
		block := *n
		*n = node{kind: list, at: n.at, items: []*node{&block}}
	}
	for _, item := range n.items {
		if s.items != nil {
			gather(item, s.items)
		}
	}
	for _, e := range n.entries {
		if f, ok := s.field(e.key); ok {
			gather(e.value, f.shape)
		}
	}
}

func (r *reader) keys(n *node, s *shape) {
	first := make(map[string]place, len(n.entries))
	for _, e := range n.entries {
		path := join(n.path, e.key)
		f, known := s.field(e.key)
		before, repeated := first[e.key]
		switch {
		case e.key == "" && e.value.kind == broken: // already reported
		case !known:
			r.failAt(e.at, path, "unknown key%s", suggest(e.key, s.names()))
			e.value.kind = broken
		case repeated:
			r.failAt(e.at, path, "is given twice, the first time on line %d", before.line)
			e.value.kind = broken
		default:
			first[e.key] = e.at
			e.value.private, e.value.groups = f.private, f.groups
			r.structure(e.value, f.shape, path)
			if f.missing != "" && e.value.kind == list && len(e.value.items) == 0 {
				r.fail(e.value, "is empty: %s", f.missing)
			}
		}
	}
	for _, f := range s.fields {
		if _, given := first[f.name]; !given && f.missing != "" {
			r.failAt(n.at, join(n.path, f.name), "is missing: %s", f.missing)
		}
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
