package config

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// The lexer's time grows with the square of a run of blank lines.
const maxBlankLines = 100

const (
	noAlias        = "starts with *, which makes it a YAML alias, and aliases are not supported: put it in quotes"
	noAnchor       = "starts with &, which makes it a YAML anchor, and anchors are not supported: write the value out, or put it in quotes"
	noTag          = "starts with !, which makes it a YAML tag, and tags are not supported: leave the tag out, or put the value in quotes"
	secondDocument = "a second YAML document starts here: one file is one configuration"
	noMerge        = "<< is not supported: write the keys out"
)

// document reads YAML into a tree. It returns nil after a finding that leaves
// nothing to go on with.
func (r *reader) document(b []byte) *node {
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	if at, text := r.unreadable(b); text != "" {
		r.failAt(at, "", "%s", text)
		return nil
	}
	// The lexer loses a tag that the file ends in without a line break.
	tokens := lexer.Tokenize(string(b) + "\n")
	if t, text := overgrown(tokens); text != "" {
		r.failAt(r.at(t), "", "%s", text)
		return nil
	}
	file, err := parseTokens(tokens)
	if err != nil {
		r.syntax(err)
		return nil
	}
	root := r.only(file)
	// The parser drops a tag with nothing after it, so convert does not see it.
	if t, text := property(tokens); text != "" && len(r.findings) == 0 {
		r.failAt(r.at(t), "", "%s", text)
	}
	return root
}

// unreadable looks for what must not reach the lexer.
func (r *reader) unreadable(b []byte) (place, string) {
	if len(b) > MaxSize {
		return place{file: r.file, line: 1, column: 1}, fmt.Sprintf("the file is larger than %d KiB", MaxSize>>10)
	}
	at := place{file: r.file, line: 1, column: 1}
	blank, empty := 0, true
	for len(b) > 0 {
		c, size := utf8.DecodeRune(b)
		b = b[size:]
		switch {
		case c == utf8.RuneError && size == 1:
			return at, "the file is not UTF-8 text"
		case c == '\n' && empty && blank == maxBlankLines:
			return at, fmt.Sprintf("more than %d blank lines in a row", maxBlankLines)
		case c == '\n':
			blank++
			if !empty {
				blank = 0
			}
			empty = true
			at.line, at.column = at.line+1, 0
		case c == '\r' && bytes.HasPrefix(b, []byte("\n")), c == ' ', c == '\t':
		case c < ' ', c == 0x7f, c == 0xfeff:
			return at, fmt.Sprintf("the file has a control character (U+%04X)", c)
		default:
			empty = false
		}
		at.column++
	}
	return place{}, ""
}

// parseTokens keeps a fault of the parser from being one of the gateway's.
func parseTokens(tokens token.Tokens) (file *ast.File, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("the file is not YAML")
		}
	}()
	return parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
}

// syntax adds the finding for what the parser did not understand.
func (r *reader) syntax(err error) {
	at := place{file: r.file, line: 1, column: 1}
	text := err.Error()
	var s interface {
		error
		GetMessage() string
		GetToken() *token.Token
	}
	if errors.As(err, &s) {
		at, text = r.at(s.GetToken()), s.GetMessage()
		if t := s.GetToken(); t != nil && t.Type == token.AliasType {
			text = noAlias
		}
	}
	// The parser quotes the file in a few of its messages, and that may be a
	// password that begins with a YAML indicator.
	text, _, _ = strings.Cut(text, `"`)
	r.failAt(at, "", "YAML: %s", strings.TrimRight(text, " :"))
}

// only returns the one document of a file, an empty mapping if it has none.
func (r *reader) only(file *ast.File) *node {
	empty := &node{kind: mapping, at: place{file: r.file, line: 1, column: 1}}
	if len(file.Docs) == 0 {
		return empty
	}
	if len(file.Docs) > 1 {
		r.failAt(r.at(start(file.Docs[1].Body)), "", secondDocument)
		return nil
	}
	body := file.Docs[0].Body
	if body == nil || body.Type() == ast.NullType || body.Type() == ast.CommentType {
		return empty
	}
	n := r.convert(body, r.at(start(body)))
	if n.kind != mapping {
		if n.kind != broken {
			r.failAt(n.at, "", "the file must be a block of keys, is %s", n.kind)
		}
		return nil
	}
	return n
}

// at is a token's place. A token that the parser made up has none.
func (r *reader) at(t *token.Token) place {
	p := place{file: r.file, line: 1, column: 1}
	if t != nil && t.Position != nil {
		p.line, p.column = max(1, t.Position.Line), max(1, t.Position.Column)
	}
	return p
}
