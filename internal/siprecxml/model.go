package siprecxml

import "encoding/xml"

// Recording is one document. Its fields stand in the order of the schema, which
// is the order in which they are written (RFC 7865 section 6.1).
type Recording struct {
	XMLName             xml.Name             `xml:"urn:ietf:params:xml:ns:recording:1 recording"`
	DataMode            string               `xml:"datamode"`
	Groups              []Group              `xml:"group"`
	Sessions            []Session            `xml:"session"`
	Participants        []Participant        `xml:"participant"`
	Streams             []Stream             `xml:"stream"`
	SessionRecordings   []SessionRecording   `xml:"sessionrecordingassoc"`
	ParticipantSessions []ParticipantSession `xml:"participantsessionassoc"`
	ParticipantStreams  []ParticipantStream  `xml:"participantstreamassoc"`
}

// Group is a communication session group (RFC 7865 section 6.2).
type Group struct {
	ID           string `xml:"group_id,attr"`
	Associate    string `xml:"associate-time,omitempty"`
	Disassociate string `xml:"disassociate-time,omitempty"`
}

// Session is a communication session (RFC 7865 section 6.3). Consent is ours;
// the section names policy as what may be added here.
type Session struct {
	ID        string   `xml:"session_id,attr"`
	SIP       []string `xml:"sipSessionID"`
	GroupRef  string   `xml:"group-ref,omitempty"`
	StartTime string   `xml:"start-time,omitempty"`
	StopTime  string   `xml:"stop-time,omitempty"`
	Consent   *Consent `xml:"consent"`
}

// Participant is a party (RFC 7865 section 6.5).
type Participant struct {
	ID    string   `xml:"participant_id,attr"`
	Names []NameID `xml:"nameID"`
}

// NameID is one way to call a party.
type NameID struct {
	AOR string `xml:"aor,attr"` // a URI
}

// Stream is a media stream (RFC 7865 section 6.7). Label is the a=label of its
// media line (RFC 4574).
type Stream struct {
	ID      string `xml:"stream_id,attr"`
	Session string `xml:"session_id,attr,omitempty"`
	Label   string `xml:"label,omitempty"`
}

// SessionRecording ties a session to the recording session (RFC 7865 section 6.4).
type SessionRecording struct {
	Session      string `xml:"session_id,attr"`
	Associate    string `xml:"associate-time,omitempty"`
	Disassociate string `xml:"disassociate-time,omitempty"`
}

// ParticipantSession says when a party took part (RFC 7865 section 6.6).
type ParticipantSession struct {
	Participant  string  `xml:"participant_id,attr"`
	Session      string  `xml:"session_id,attr"`
	Associate    string  `xml:"associate-time,omitempty"`
	Disassociate string  `xml:"disassociate-time,omitempty"`
	Params       []Param `xml:"param"`
}

// Param is a header parameter of the party's Contact, or what a vendor reads
// in its place.
type Param struct {
	Name  string `xml:"pname,attr"`
	Value string `xml:"pval,attr"`
}

// ParticipantStream says which streams a party sends and receives (RFC 7865
// section 6.8).
type ParticipantStream struct {
	Participant  string   `xml:"participant_id,attr"`
	Send         []string `xml:"send"`
	Recv         []string `xml:"recv"`
	Associate    string   `xml:"associate-time,omitempty"`
	Disassociate string   `xml:"disassociate-time,omitempty"`
}

// Consent is what the recording rests on. It holds no number and no name.
type Consent struct {
	XMLName     xml.Name       // its namespace is for the configuration to say
	Version     int            `xml:"version,attr"`
	RecordID    string         `xml:"record-id"`
	Basis       string         `xml:"basis,omitempty"`
	State       string         `xml:"state"` // given or withdrawn
	DecidedAt   string         `xml:"decided-at,omitempty"`
	WithdrawnAt string         `xml:"withdrawn-at,omitempty"`
	Recording   string         `xml:"recording"` // on, paused or off
	Grants      []Grant        `xml:"grant"`
	Notice      *ConsentNotice `xml:"notice"`
	Retention   string         `xml:"retention,omitempty"` // ISO 8601 duration
}

// Grant is the answer for one purpose.
type Grant struct {
	Purpose string `xml:"purpose,attr"`
	Granted bool   `xml:",chardata"`
}

// ConsentNotice is what the party heard before it decided.
type ConsentNotice struct {
	ID       string `xml:"id,attr"`
	Version  string `xml:"version,attr"`
	Language string `xml:"lang,attr"`
	SHA256   string `xml:"sha256,attr"` // of the audio
	PlayedMS int64  `xml:"played-ms,attr"`
	OfMS     int64  `xml:"of-ms,attr"`
}

// Marshal writes the document.
func (r *Recording) Marshal() ([]byte, error) {
	body, err := xml.MarshalIndent(r, "", " ")
	if err != nil {
		return nil, err
	}
	return append([]byte(xml.Header), append(body, '\n')...), nil
}
