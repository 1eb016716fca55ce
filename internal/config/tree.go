package config

// kind is what a node is.
type kind int

const (
	// broken has been found wrong; later steps say nothing more about it.
	broken kind = iota
	null
	scalar
	mapping
	list
)

func (k kind) String() string {
	switch k {
	case scalar:
		return "a single value"
	case mapping:
		return "a block of keys"
	case list:
		return "a list"
	}
	return "nothing"
}

// place is where a node stands: a line of a file, or an environment variable.
type place struct {
	file         string
	line, column int
	variable     string
}

// node is one value of the configuration before it has a type.
type node struct {
	kind kind
	at   place
	path string // set by structure

	// Of a scalar.
	text     string
	boolean  bool // written as true or false, without quotes
	expanded bool // text came from ${env:} or ${file:}
	private  bool // text is personal or secret by the meaning of its key
	groups   bool // ${1} and the like stay in text as they are

	entries []entry // of a mapping
	items   []*node // of a list
}

type entry struct {
	key   string
	at    place
	value *node
}

// get is the value of the first entry with this key; nil if n has none or is
// not a mapping.
func (n *node) get(key string) *node {
	if n == nil || n.kind != mapping {
		return nil
	}
	for _, e := range n.entries {
		if e.key == key {
			return e.value
		}
	}
	return nil
}

func (n *node) has(key string) bool { return n.get(key) != nil }

// list is the items under a key; nil if it is absent or no list.
func (n *node) list(key string) []*node {
	if v := n.get(key); v != nil && v.kind == list {
		return v.items
	}
	return nil
}

// shown reports whether the text may stand in a finding.
func (n *node) shown() bool {
	return n.kind == scalar && !n.expanded && !n.private && n.at.variable == ""
}
