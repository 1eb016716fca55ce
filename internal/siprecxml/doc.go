// Package siprecxml writes, reads and checks the metadata of a recording
// session (RFC 7865): what a call is, who takes part in it and which stream is
// whose, with the consent that the recording rests on as an extension of its
// own. Everything here is a pure function of its arguments.
package siprecxml

// The names of RFC 7865 and RFC 7866.
const (
	// Namespace of the metadata (RFC 7865 section 10.1).
	Namespace = "urn:ietf:params:xml:ns:recording:1"
	// MediaType as registered (RFC 7865 section 11.2).
	MediaType = "application/rs-metadata+xml"
	// OldMediaType is what RFC 7866 calls it in its examples.
	OldMediaType = "application/rs-metadata"
	// Disposition of the metadata (RFC 7866 section 9.1).
	Disposition = "recording-session"
	// ConsentNamespace is where the consent element lives unless the
	// configuration says another.
	ConsentNamespace = "urn:x-consentgw:consent:1"
)

// The two modes of a document (RFC 7865 section 6.1).
const (
	Complete = "complete"
	Partial  = "partial"
)
