package siprecxml

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Bounds of a document. One of a call between two parties has some 3 KB.
const (
	maxBytes = 256 << 10
	maxDepth = 32
	maxNodes = 5000
)

// element is one element of a document as it was written.
type element struct {
	name     xml.Name
	attrs    []xml.Attr
	children []*element
	text     string
	line     int
}

func (e *element) attr(local string) string {
	for _, a := range e.attrs {
		if a.Name.Space == "" && a.Name.Local == local {
			return a.Value
		}
	}
	return ""
}

// parse reads a document. It refuses what is no single well-formed element, a
// document type declaration, and too much of anything.
func parse(doc []byte) (*element, error) {
	if len(doc) > maxBytes {
		return nil, fmt.Errorf("longer than %d bytes", maxBytes)
	}
	dec := xml.NewDecoder(bytes.NewReader(doc))
	top := &element{}
	open, nodes := []*element{top}, 0
	for {
		line, _ := dec.InputPos()
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: not well-formed XML", line)
		}
		now := open[len(open)-1]
		switch t := token.(type) {
		case xml.StartElement:
			nodes++
			if nodes > maxNodes || len(open) > maxDepth {
				return nil, fmt.Errorf("line %d: too many elements", line)
			}
			e := &element{name: t.Name, attrs: t.Copy().Attr, line: line}
			now.children = append(now.children, e)
			open = append(open, e)
		case xml.EndElement:
			now.text = strings.TrimSpace(now.text)
			open = open[:len(open)-1]
		case xml.CharData:
			now.text += string(t)
		case xml.Directive:
			return nil, fmt.Errorf("line %d: a document type declaration", line)
		}
	}
	if len(top.children) != 1 {
		return nil, errors.New("no single root element")
	}
	return top.children[0], nil
}
