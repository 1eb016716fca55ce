package sip

import (
	siplib "github.com/emiago/sipgo/sip"
)

// Document is the body of a request that is not, or not only, a session
// description, with what goes with it.
type Document struct {
	Method      string
	ContentType string
	Disposition string // Content-Disposition, "" if there is none
	Body        []byte
	Contact     string // as it came, with its parameters
	Supported   []string
	Required    []string
}

// bearsMore says whether a request has a body besides a session description.
func bearsMore(req *siplib.Request) bool {
	return len(req.Body()) > 0 && len(sdpOf(req)) != len(req.Body())
}

func documentOf(req *siplib.Request) Document {
	d := Document{
		Method: string(req.Method), ContentType: headerValue(req, "Content-Type"),
		Disposition: headerValue(req, "Content-Disposition"), Body: req.Body(),
		Contact:   headerValue(req, "Contact"),
		Supported: optionTags(req, "Supported"), Required: optionTags(req, "Require"),
	}
	return d
}

// Document is the body of the INVITE with what goes with it.
func (in *Incoming) Document() Document { return documentOf(in.req) }

// show gives the body of a re-INVITE or UPDATE to InDialog.Document, if there is
// more to it than a session description, and says why the request is refused,
// or nil. Without that function such a body must have a session description, or
// be one that may be ignored.
func (l *Leg) show(r responder) (ref *refusal) {
	if !bearsMore(r.req) {
		return nil
	}
	take := l.handlers().Document
	if take == nil {
		return admitBody(r.req)
	}
	defer r.e.guard("taking a document", func() { ref = refuse(500, "Server Internal Error") })
	if code := take(documentOf(r.req)); code < 200 || code > 299 {
		return refuse(inRange(code), "Body Refused")
	}
	return nil
}

// inRange makes a failure of what a handler returned.
func inRange(code int) int {
	if code < 300 || code > 699 {
		return 500
	}
	return code
}
