package siprecxml

import "encoding/xml"

// snapshotRequest is what a recorder asks for a complete document with (RFC
// 7865 section 10.3).
type snapshotRequest struct {
	XMLName xml.Name `xml:"urn:ietf:params:xml:ns:recording:1 requestsnapshot"`
	Reason  string   `xml:"requestreason,omitempty"`
}

// SnapshotRequest writes a request for a complete document.
func SnapshotRequest(reason string) ([]byte, error) {
	body, err := xml.Marshal(snapshotRequest{Reason: reason})
	return append([]byte(xml.Header), body...), err
}

// IsSnapshotRequest reports whether doc is one.
func IsSnapshotRequest(doc []byte) bool {
	root, err := parse(doc)
	return err == nil && root.name == (xml.Name{Space: Namespace, Local: "requestsnapshot"})
}
