package config

import (
	"fmt"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// Deep enough for every configuration, shallow enough for the parser, which
// recurses and whose time grows with the square of the depth.
const maxDepth = 32

// The parser recurses for every key of a block, too.
const maxKeys = 256

// Aliases, anchors and tags are refused one by one; the parser recurses on
// chains of them.
const maxProperties = 1000

// overgrown returns the token at which the document outgrows what the parser
// handles in reasonable time, and what is wrong there.
func overgrown(tokens token.Tokens) (*token.Token, string) {
	var s shapeScan
	for _, t := range tokens {
		if text := s.next(t); text != "" {
			return t, text
		}
	}
	return nil, ""
}

// property returns the first alias, anchor or tag.
func property(tokens token.Tokens) (*token.Token, string) {
	for _, t := range tokens {
		switch t.Type {
		case token.AliasType:
			return t, noAlias
		case token.AnchorType:
			return t, noAnchor
		case token.TagType:
			return t, noTag
		}
	}
	return nil, ""
}

// shapeScan follows the nesting of a document by its tokens.
type shapeScan struct {
	begun, ended bool // a token was seen; the end marker was
	flow         int  // open brackets and braces
	flowKeys     int  // keys since the last bracket or brace
	properties   int
	blocks       []openBlock // outermost first, by rising column
}

type openBlock struct{ column, keys int }

func (s *shapeScan) next(t *token.Token) string {
	// Between two markers the parser loses the rest of the file.
	if t.Type == token.CommentType {
		return ""
	}
	second := s.ended || s.begun && t.Type == token.DocumentHeaderType
	s.begun = true
	switch t.Type {
	case token.DocumentEndType:
		s.ended = true
	case token.DirectiveType:
		return "YAML directives (%) are not supported"
	case token.AliasType, token.AnchorType, token.TagType:
		s.properties++
	case token.MappingStartType, token.SequenceStartType:
		s.flow++
		s.flowKeys = 0
	case token.MappingEndType, token.SequenceEndType:
		s.flow = max(0, s.flow-1)
		s.flowKeys = 0
	case token.SequenceEntryType:
		s.enter(t.Position.Column, 0)
	case token.MappingKeyType:
		s.enter(t.Position.Column, 1)
	case token.MappingValueType:
		column := t.Position.Column
		if t.Prev != nil && t.Prev.Position != nil {
			column = t.Prev.Position.Column
		}
		s.enter(column, 1)
	}
	switch {
	case second:
		return secondDocument
	case s.properties > maxProperties:
		return fmt.Sprintf("more than %d YAML aliases, anchors and tags", maxProperties)
	case s.flow+len(s.blocks) > maxDepth:
		return fmt.Sprintf("nested more than %d levels deep", maxDepth)
	case s.flowKeys > maxKeys, len(s.blocks) > 0 && s.blocks[len(s.blocks)-1].keys > maxKeys:
		return fmt.Sprintf("more than %d keys in one block", maxKeys)
	}
	return ""
}

// enter opens or continues the block at a column. Inside brackets columns mean
// nothing.
func (s *shapeScan) enter(column, keys int) {
	if s.flow > 0 {
		s.flowKeys += keys
		return
	}
	i := len(s.blocks)
	for i > 0 && s.blocks[i-1].column > column {
		i--
	}
	s.blocks = s.blocks[:i]
	if i == 0 || s.blocks[i-1].column < column {
		s.blocks = append(s.blocks, openBlock{column: column})
	}
	s.blocks[len(s.blocks)-1].keys += keys
}

// convert makes a node of a YAML value. A block that has no bracket of its own
// stands at the given place: that of its key.
func (r *reader) convert(v ast.Node, at place) *node {
	switch v := v.(type) {
	case *ast.MappingNode:
		if v.IsFlowStyle {
			at = r.at(v.Start)
		}
		n := &node{kind: mapping, at: at}
		for _, pair := range v.Values {
			n.entries = append(n.entries, r.convertPair(pair))
		}
		return n
	case *ast.SequenceNode:
		if v.IsFlowStyle {
			at = r.at(v.Start)
		}
		n := &node{kind: list, at: at}
		for _, item := range v.Values {
			n.items = append(n.items, r.convert(item, r.at(start(item))))
		}
		return n
	case *ast.NullNode:
		return &node{kind: null, at: at}
	case *ast.AliasNode:
		return r.refuse(v, noAlias)
	case *ast.AnchorNode:
		return r.refuse(v, noAnchor)
	case *ast.TagNode:
		return r.refuse(v, noTag)
	case *ast.LiteralNode:
		return &node{kind: scalar, at: r.at(v.Start), text: v.Value.Value}
	case ast.ScalarNode:
		return &node{kind: scalar, at: r.at(v.GetToken()), text: v.GetToken().Value, boolean: v.Type() == ast.BoolType}
	}
	return r.refuse(v, "this YAML is not supported")
}

func (r *reader) convertPair(pair *ast.MappingValueNode) entry {
	at := r.at(start(pair.Key))
	e := entry{at: at}
	switch key := pair.Key.(type) {
	case *ast.MergeKeyNode:
		e.value = r.refuse(key, noMerge)
		return e
	case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode, *ast.InfinityNode, *ast.NanNode:
		e.key = key.GetToken().Value
	default:
		e.value = r.refuse(key, "a key must be a plain word")
		return e
	}
	e.value = r.convert(pair.Value, at)
	return e
}

func (r *reader) refuse(v ast.Node, text string) *node {
	n := &node{kind: broken, at: r.at(start(v))}
	r.fail(n, "%s", text)
	return n
}

// start is the first token of a value.
func start(v ast.Node) *token.Token {
	switch v := v.(type) {
	case *ast.MappingNode:
		if !v.IsFlowStyle && len(v.Values) > 0 {
			return start(v.Values[0].Key)
		}
		return v.Start
	case *ast.MappingValueNode:
		return start(v.Key)
	case nil:
		return nil
	}
	return v.GetToken()
}
