package export

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"consentgw/consent"
)

// column is one column of the CSV: its name is a contract.
type column struct {
	name  string
	value func(r *consent.Record, media recordings) string
}

// columns lists all columns in their order. New ones are appended.
func columns() []column {
	return slices.Concat(callColumns(), askingColumns(), recordingColumns(), keepingColumns(), signalledColumns(), purposeColumns())
}

func callColumns() []column {
	text := func(name string, of func(*consent.Record) string) column {
		return column{name, func(r *consent.Record, _ recordings) string { return of(r) }}
	}
	return []column{
		text("record_id", func(r *consent.Record) string { return string(r.ID) }),
		text("trunk_call_id", func(r *consent.Record) string { return r.Call.TrunkCallID }),
		text("platform_call_id", func(r *consent.Record) string { return r.Call.PlatformCallID }),
		text("node", func(r *consent.Record) string { return r.Node }),
		text("trunk", func(r *consent.Record) string { return r.Call.Trunk }),
		text("route", func(r *consent.Record) string { return r.Call.Route }),
		text("platform", func(r *consent.Record) string { return r.Call.Platform }),
		text("target", func(r *consent.Record) string { return r.Call.Target }),
		text("subject", func(r *consent.Record) string { return r.Subject }),
		text("called", func(r *consent.Record) string { return r.Call.Called }),
		text("invited_at", func(r *consent.Record) string { return stamp(r.Call.InvitedAt) }),
		text("answered_at", func(r *consent.Record) string { return stamp(r.Call.AnsweredAt) }),
		text("connected_at", func(r *consent.Record) string { return stamp(r.Call.ConnectedAt) }),
		text("ended_at", func(r *consent.Record) string { return stamp(r.Call.EndedAt) }),
		text("end_cause", func(r *consent.Record) string { return r.Call.EndCause }),
	}
}

func askingColumns() []column {
	text := func(name string, of func(*consent.Record) string) column {
		return column{name, func(r *consent.Record, _ recordings) string { return of(r) }}
	}
	notice := func(name string, of func(consent.Notice) string) column {
		return text(name, func(r *consent.Record) string {
			if r.Notice.ID == "" {
				return ""
			}
			return of(r.Notice)
		})
	}
	press := func(name string, of func(*consent.Press) string) column {
		return text(name, func(r *consent.Record) string {
			if r.Press == nil {
				return ""
			}
			return of(r.Press)
		})
	}
	return []column{
		text("outcome", func(r *consent.Record) string { return string(r.Outcome) }),
		text("status", func(r *consent.Record) string { return string(r.Status) }),
		text("basis", func(r *consent.Record) string { return r.Terms.Basis }),
		text("jurisdiction", func(r *consent.Record) string { return r.Terms.Jurisdiction }),
		text("purposes_granted", granted),
		notice("notice_id", func(n consent.Notice) string { return n.ID }),
		notice("notice_version", func(n consent.Notice) string { return n.Version }),
		notice("language", func(n consent.Notice) string { return n.Language }),
		notice("notice_audio_sha256", func(n consent.Notice) string { return n.AudioSHA256 }),
		notice("notice_text_sha256", func(n consent.Notice) string { return n.TextSHA256 }),
		notice("notice_heard_ms", func(n consent.Notice) string { return strconv.FormatInt(n.HeardMS, 10) }),
		notice("notice_duration_ms", func(n consent.Notice) string { return strconv.FormatInt(n.LengthMS, 10) }),
		notice("notice_complete", func(n consent.Notice) string { return strconv.FormatBool(n.Complete) }),
		press("key", func(p *consent.Press) string { return p.Key }),
		press("method", func(p *consent.Press) string { return p.Method }),
		press("ssrc", func(p *consent.Press) string { return ofRTP(p, p.SSRC) }),
		press("rtp_timestamp", func(p *consent.Press) string { return ofRTP(p, p.RTPTimestamp) }),
		press("key_duration_ms", func(p *consent.Press) string { return strconv.FormatInt(p.DurationMS, 10) }),
		press("pressed_at", func(p *consent.Press) string { return stamp(p.At) }),
		text("decided_at", func(r *consent.Record) string { return stamp(r.DecidedAt) }),
		text("stored_at", func(r *consent.Record) string { return stamp(r.StoredAt) }),
		text("withdrawn_at", func(r *consent.Record) string {
			if r.Withdrawal == nil {
				return ""
			}
			return stamp(r.Withdrawal.At)
		}),
		text("withdrawn_by", func(r *consent.Record) string {
			if r.Withdrawal == nil {
				return ""
			}
			return r.Withdrawal.Method
		}),
	}
}

func recordingColumns() []column {
	at := func(name string, of func(recordings) time.Time) column {
		return column{name, func(_ *consent.Record, m recordings) string { return stamp(of(m)) }}
	}
	count := func(name string, of func(recordings) uint64) column {
		return column{name, func(_ *consent.Record, m recordings) string { return strconv.FormatUint(of(m), 10) }}
	}
	return []column{
		at("recording_started_at", func(m recordings) time.Time { return m.opened }),
		at("first_packet_at", func(m recordings) time.Time { return m.first }),
		at("last_packet_at", func(m recordings) time.Time { return m.last }),
		at("recording_ended_at", func(m recordings) time.Time { return m.closed }),
		count("caller_packets", func(m recordings) uint64 { return m.caller }),
		count("agent_packets", func(m recordings) uint64 { return m.agent }),
		count("lost_packets", func(m recordings) uint64 { return m.lost }),
		count("packets_before_grant", func(m recordings) uint64 { return m.before }),
		count("packets_after_stop", func(m recordings) uint64 { return m.after }),
	}
}

func keepingColumns() []column {
	return []column{
		{"retention_record", func(r *consent.Record, _ recordings) string { return r.Terms.Retention.Record }},
		{"retention_recording", func(r *consent.Record, _ recordings) string { return r.Terms.Retention.Recording }},
		{"updated_at", func(r *consent.Record, _ recordings) string { return stamp(r.UpdatedAt) }},
	}
}

// signalledColumns are what the INVITE said about who calls. A number that was
// withheld is in no column, because it is not in the record. Of several
// attestations the first is shown.
func signalledColumns() []column {
	text := func(name string, of func(*consent.Signalled) string) column {
		return column{name, func(r *consent.Record, _ recordings) string { return of(&r.Call.Signalled) }}
	}
	attested := func(name string, of func(consent.Attestation) string) column {
		return text(name, func(s *consent.Signalled) string {
			if len(s.Attestations) == 0 {
				return ""
			}
			return of(s.Attestations[0])
		})
	}
	return []column{
		text("subject_source", func(s *consent.Signalled) string { return s.Source }),
		text("subject_withheld", func(s *consent.Signalled) string { return strconv.FormatBool(s.Withheld) }),
		text("diverted_from", func(s *consent.Signalled) string { return s.DivertedFrom }),
		attested("attestation", func(a consent.Attestation) string { return a.Attest }),
		attested("attestation_origid", func(a consent.Attestation) string { return a.OrigID }),
		attested("attestation_verified", func(a consent.Attestation) string { return strconv.FormatBool(a.Verified) }),
		text("session_caller", func(s *consent.Signalled) string { return s.Sessions.Caller }),
		text("session_platform", func(s *consent.Signalled) string { return s.Sessions.Platform }),
	}
}

// purposeColumns say how purposes were asked for, and what became of each, such as
// quality=given;training=refused. The keys are in the JSON Lines.
func purposeColumns() []column {
	return []column{
		{"ask", func(r *consent.Record, _ recordings) string {
			if r.Terms.Name == "" {
				return "" // nobody was asked
			}
			return string(cmp.Or(r.Terms.Ask, consent.AskTogether))
		}},
		{"purpose_outcomes", func(r *consent.Record, _ recordings) string {
			var all []string
			for _, g := range r.Purposes {
				all = append(all, g.Purpose+"="+string(cmp.Or(g.Outcome, r.Outcome, consent.Outcome(consent.StatusPending))))
			}
			return strings.Join(all, ";")
		}},
	}
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// ofRTP leaves out what a press that did not come by RTP has no value for.
func ofRTP(p *consent.Press, v uint32) string {
	if p.SSRC == 0 && p.RTPTimestamp == 0 {
		return ""
	}
	return strconv.FormatUint(uint64(v), 10)
}

func granted(r *consent.Record) string {
	var names []string
	for _, p := range r.Purposes {
		if p.Granted {
			names = append(names, p.Purpose)
		}
	}
	return strings.Join(names, ";")
}
