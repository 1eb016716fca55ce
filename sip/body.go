package sip

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"strings"

	siplib "github.com/emiago/sipgo/sip"
)

// maxParts is how many parts of a multipart body are looked at.
const maxParts = 16

// message is what requests and responses of sipgo have in common here.
type message interface {
	messageHeaders
	Body() []byte
}

var _, _ message = (*siplib.Request)(nil), (*siplib.Response)(nil)

// sdpOf returns the session description of a message, nil if there is none: a
// body of type application/sdp, or the first such part of a multipart body
// (RFC 5621). Without a Content-Type a body that begins like SDP is SDP.
func sdpOf(msg message) []byte {
	return extractSDP(headerValue(msg, "Content-Type"), msg.Body())
}

func extractSDP(contentType string, body []byte) []byte {
	if len(body) == 0 {
		return nil
	}
	if contentType == "" {
		if bytes.HasPrefix(body, []byte("v=0")) {
			return body
		}
		return nil
	}
	kind, params, err := mime.ParseMediaType(contentType)
	switch {
	case kind == "application/sdp": // also with parameters that do not parse
		return body
	case err != nil || !strings.HasPrefix(kind, "multipart/") || params["boundary"] == "":
		return nil
	}
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for range maxParts {
		part, err := parts.NextRawPart()
		if err != nil {
			return nil
		}
		kind, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type"))
		if kind != "application/sdp" {
			continue
		}
		sdp, err := io.ReadAll(part)
		if err != nil || len(sdp) == 0 {
			return nil // the closing boundary is missing: the part may be cut off
		}
		return sdp
	}
	return nil
}

// bodyAcceptable says whether a request's body is one we understand, or one
// we may ignore (RFC 3261 sections 8.2.3 and 20.11).
func bodyAcceptable(req *siplib.Request) bool {
	if enc := headerValue(req, "Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return false
	}
	if len(req.Body()) == 0 || sdpOf(req) != nil {
		return true
	}
	_, params, err := mime.ParseMediaType(headerValue(req, "Content-Disposition"))
	return err == nil && strings.EqualFold(params["handling"], "optional")
}
