package siprecxml

import (
	"encoding/xml"
	"fmt"
	"slices"
	"time"
)

// Book keeps what the documents of one recording session have said so far, and
// checks every new one against it (RFC 7866 section 9.2). The zero value is
// ready. It is for one goroutine.
type Book struct {
	begun        bool
	groups       map[string]bool
	sessions     map[string]bool
	participants map[string]bool
	streams      map[string]string // label by id
}

// Labels are the labels that streams have, in order.
func (b *Book) Labels() []string {
	var labels []string
	for _, l := range b.streams {
		if l != "" {
			labels = append(labels, l)
		}
	}
	slices.Sort(labels)
	return labels
}

// Read takes the next document. The faults are everything in which it breaks
// RFC 7865 or does not fit what came before; none of them quotes a person. The
// document is nil if it could not be read at all.
func (b *Book) Read(doc []byte) (r *Recording, faults []error) {
	root, err := parse(doc)
	if err != nil {
		return nil, []error{err}
	}
	report := func(line int, format string, args ...any) {
		faults = append(faults, fmt.Errorf("line %d: "+format, append([]any{line}, args...)...))
	}
	if root.name != (xml.Name{Space: Namespace, Local: "recording"}) {
		report(root.line, "the root is not recording of %s", Namespace)
		return nil, faults
	}
	recordingShape().check(root, report)
	r = &Recording{}
	if err := xml.Unmarshal(doc, r); err != nil {
		return nil, append(faults, fmt.Errorf("not readable as a recording"))
	}
	b.open(r, report)
	b.add(r, report)
	b.refer(r, report)
	if r.DataMode == Complete {
		r.whole(report)
	}
	r.inTime(report)
	return r, faults
}

// open begins anew with every complete document.
func (b *Book) open(r *Recording, report func(int, string, ...any)) {
	if r.DataMode == Partial {
		if !b.begun {
			report(1, "a partial document before the first complete one")
		}
	} else {
		*b = Book{begun: true}
	}
	if b.sessions == nil {
		b.groups, b.sessions, b.participants = map[string]bool{}, map[string]bool{}, map[string]bool{}
		b.streams = map[string]string{}
	}
}

func (b *Book) add(r *Recording, report func(int, string, ...any)) {
	seen := map[string]bool{}
	define := func(what, id string) {
		if seen[what+id] {
			report(1, "a %s is described twice", what)
		}
		seen[what+id] = true
	}
	for _, g := range r.Groups {
		define("group", g.ID)
		b.groups[g.ID] = true
	}
	for _, s := range r.Sessions {
		define("session", s.ID)
		b.sessions[s.ID] = true
	}
	for _, p := range r.Participants {
		define("participant", p.ID)
		b.participants[p.ID] = true
	}
	for _, s := range r.Streams {
		define("stream", s.ID)
		for id, label := range b.streams {
			if label != "" && label == s.Label && id != s.ID {
				report(1, "two streams have one label")
			}
		}
		b.streams[s.ID] = s.Label
	}
}

// refer checks that everything that is referred to is known.
func (b *Book) refer(r *Recording, report func(int, string, ...any)) {
	known := func(ok bool, who, what string) {
		if !ok {
			report(1, "%s refers to a %s that is not known", who, what)
		}
	}
	for _, s := range r.Sessions {
		known(s.GroupRef == "" || b.groups[s.GroupRef], "session", "group")
	}
	for _, s := range r.Streams {
		known(s.Session == "" || b.sessions[s.Session], "stream", "session")
	}
	for _, a := range r.SessionRecordings {
		known(b.sessions[a.Session], "sessionrecordingassoc", "session")
	}
	for _, a := range r.ParticipantSessions {
		known(b.participants[a.Participant], "participantsessionassoc", "participant")
		known(b.sessions[a.Session], "participantsessionassoc", "session")
	}
	for _, a := range r.ParticipantStreams {
		known(b.participants[a.Participant], "participantstreamassoc", "participant")
		for _, id := range slices.Concat(a.Send, a.Recv) {
			_, ok := b.streams[id]
			known(ok, "participantstreamassoc", "stream")
		}
	}
}

// whole checks what a complete document must tell: who sends each stream (RFC 7865
// section 6.8), which sessions are recorded, and who takes part in what.
func (r *Recording) whole(report func(int, string, ...any)) {
	sent, recorded, present := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, a := range r.ParticipantStreams {
		for _, id := range a.Send {
			sent[id] = true
		}
	}
	for _, a := range r.SessionRecordings {
		recorded[a.Session] = true
	}
	for _, a := range r.ParticipantSessions {
		present[a.Participant] = true
	}
	for _, s := range r.Streams {
		if !sent[s.ID] {
			report(1, "a stream that no participant sends")
		}
	}
	for _, s := range r.Sessions {
		if !recorded[s.ID] {
			report(1, "a session without a sessionrecordingassoc")
		}
	}
	for _, p := range r.Participants {
		if !present[p.ID] {
			report(1, "a participant that takes part in no session")
		}
	}
}

// inTime checks that nothing ends before it has begun.
func (r *Recording) inTime(report func(int, string, ...any)) {
	order := func(what, from, to string) {
		begin, err := time.Parse(time.RFC3339Nano, from)
		end, err2 := time.Parse(time.RFC3339Nano, to)
		if err == nil && err2 == nil && end.Before(begin) {
			report(1, "%s ends before it begins", what)
		}
	}
	for _, g := range r.Groups {
		order("group", g.Associate, g.Disassociate)
	}
	for _, s := range r.Sessions {
		order("session", s.StartTime, s.StopTime)
	}
	for _, a := range r.SessionRecordings {
		order("sessionrecordingassoc", a.Associate, a.Disassociate)
	}
	for _, a := range r.ParticipantSessions {
		order("participantsessionassoc", a.Associate, a.Disassociate)
	}
	for _, a := range r.ParticipantStreams {
		order("participantstreamassoc", a.Associate, a.Disassociate)
	}
}
