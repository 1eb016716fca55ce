package config

import (
	"fmt"
	"testing"
)

func TestZZ(t *testing.T) {
	for _, s := range []string{"---\n---\n", "---\nnode: {}\n---\n", "node: {}\n---\n", "---\n---\nnode: {id: a}\n", "node: {}\n---\n---\n", "---\n---\n---\n", "--- {node: {id: z}}\n", "...\n", "node: {id: b}\n...\n---\n", "- - - - - - - a", "a: - b\n", "node: {id: a}\n--- # c\n", "---\n# x\n---\nnode: {id: q}"} {
		c, f := Parse("x", []byte(s), nil, nil)
		fmt.Printf("%q %v %v\n", s, lines(f), c.Node.ID)
	}
}
