package siprecxml

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/textproto"
	"strings"
)

// Message is the body of a request of a recording session: a session
// description, metadata, or both (RFC 7866 section 9.1).
type Message struct {
	SDP      []byte
	Metadata []byte
	// MediaType of the metadata; "": MediaType.
	MediaType string
}

// Encode writes both parts as multipart/mixed, with a boundary of its own for
// each message.
func (m Message) Encode() (contentType string, body []byte, err error) {
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	if err := w.SetBoundary("rs-" + rand.Text()); err != nil {
		return "", nil, err
	}
	kind := m.MediaType
	if kind == "" {
		kind = MediaType
	}
	for _, part := range []struct {
		header textproto.MIMEHeader
		bytes  []byte
	}{
		{textproto.MIMEHeader{"Content-Type": {"application/sdp"}}, m.SDP},
		{textproto.MIMEHeader{"Content-Type": {kind}, "Content-Disposition": {Disposition}}, m.Metadata},
	} {
		p, err := w.CreatePart(part.header)
		if err != nil {
			return "", nil, err
		}
		if _, err := p.Write(part.bytes); err != nil {
			return "", nil, err
		}
	}
	if err := w.Close(); err != nil {
		return "", nil, err
	}
	return "multipart/mixed;boundary=" + w.Boundary(), buf.Bytes(), nil
}

// maxParts is how many parts of a body are looked at.
const maxParts = 8

// Decode reads a body of any of the three forms. disposition is that of the
// whole body, and counts for metadata that travels alone. The faults are where
// it breaks RFC 7866; what could be read is returned all the same.
func Decode(contentType, disposition string, body []byte) (m Message, faults []error) {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return m, []error{errors.New("the Content-Type cannot be read")}
	}
	if kind != "multipart/mixed" {
		return m, m.take(kind, disposition, body)
	}
	r := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for range maxParts {
		part, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			if m.SDP == nil && m.Metadata == nil && faults == nil {
				faults = append(faults, errors.New("the multipart body has no parts"))
			}
			return m, faults
		}
		if err != nil {
			return m, append(faults, errors.New("the multipart body is broken or not closed"))
		}
		content, err := io.ReadAll(io.LimitReader(part, maxBytes+1))
		if err != nil {
			return m, append(faults, errors.New("a part of the body is not closed"))
		}
		kind, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type"))
		faults = append(faults, m.take(kind, part.Header.Get("Content-Disposition"), content)...)
	}
	return m, append(faults, fmt.Errorf("more than %d parts", maxParts))
}

// take keeps one part.
func (m *Message) take(kind, disposition string, content []byte) (faults []error) {
	switch kind {
	case "application/sdp":
		if m.SDP != nil {
			faults = append(faults, errors.New("two session descriptions"))
		}
		m.SDP = content
	case MediaType, OldMediaType:
		if m.Metadata != nil {
			faults = append(faults, errors.New("two parts of metadata"))
		}
		m.Metadata, m.MediaType = content, kind
		how, _, _ := mime.ParseMediaType(disposition)
		if !strings.EqualFold(how, Disposition) {
			faults = append(faults, errors.New("the metadata is without Content-Disposition: "+Disposition))
		}
	default:
		faults = append(faults, errors.New("a body that is neither a session description nor metadata"))
	}
	return faults
}
