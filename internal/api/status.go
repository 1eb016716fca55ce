package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"consentgw/consent"
)

// maxStatus bounds a status body, in bytes: call flows have small pockets.
const maxStatus = 1024

// status is the short answer about one call. Every member is always there,
// Degraded aside. Recording without consent in force never happens; Status
// "granted" alone means that consent is.
type status struct {
	RecordID  consent.RecordID       `json:"record_id"` // empty if unknown
	CallID    string                 `json:"call_id"`   // of the trunk leg
	Status    consent.Status         `json:"status"`
	Outcome   consent.Outcome        `json:"outcome"`
	Recording consent.RecordingState `json:"recording"`
	Purposes  []statusPurpose        `json:"purposes"`
	Notice    statusNotice           `json:"notice"`
	Method    string                 `json:"method"` // of the deciding press: "rfc4733", "sip-info"; empty without one
	DecidedAt *time.Time             `json:"decided_at"`
	UpdatedAt *time.Time             `json:"updated_at"`
	Degraded  string                 `json:"degraded,omitempty"` // "store": unknown because the store is away
}

type statusNotice struct {
	ID       string `json:"id"`
	Version  string `json:"version"`
	Language string `json:"language"`
}

func statusOf(r *consent.Record) status {
	s := status{
		RecordID: r.ID, CallID: r.Call.TrunkCallID, Status: r.Outcome.Status(), Outcome: r.Outcome,
		Recording: r.Recording(), Purposes: purposesOf(r),
		Notice:    statusNotice{r.Notice.ID, r.Notice.Version, r.Notice.Language},
		DecidedAt: moments(r.DecidedAt), UpdatedAt: moments(r.UpdatedAt),
	}
	if r.Press != nil {
		s.Method = r.Press.Method
	}
	return s
}

// unknown is the status of a call that was never seen: no error, because call
// flows take an error for a failure and try again.
func unknown(degraded string) status {
	return status{Status: consent.StatusUnknown, Recording: consent.RecordingOff, Purposes: []statusPurpose{}, Degraded: degraded}
}

func moments(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = consent.Stamp(t)
	return &t
}

// flat is the status in one level of strings, for flow builders that know
// nothing else.
func (s status) flat() any {
	var granted, denied []string
	for _, p := range s.Purposes {
		if p.Granted {
			granted = append(granted, p.Purpose)
		} else {
			denied = append(denied, p.Purpose)
		}
	}
	out := map[string]string{
		"record_id": string(s.RecordID), "call_id": s.CallID, "status": string(s.Status), "outcome": string(s.Outcome),
		"recording": string(s.Recording), "purposes_granted": strings.Join(granted, ","),
		"purposes_denied": strings.Join(denied, ","), "notice_id": s.Notice.ID, "notice_version": s.Notice.Version,
		"notice_language": s.Notice.Language, "method": s.Method,
		"decided_at": flatTime(s.DecidedAt), "updated_at": flatTime(s.UpdatedAt),
	}
	if s.Degraded != "" {
		out["degraded"] = s.Degraded
	}
	return out
}

func flatTime(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}

// nested is the status as it is.
func (s status) nested() any { return s }

// writeFitting answers with the status in at most maxStatus bytes. What gives
// way are purposes from the end of the list, so that a purpose that is not
// mentioned is one that is not granted, and then a Call-ID of excessive length.
func writeFitting(w http.ResponseWriter, s status, shape func(status) any) error {
	for {
		body, err := json.Marshal(shape(s))
		switch {
		case err != nil:
			return fault{internalError(), err}
		case len(body) <= maxStatus:
			return writeJSON(w, json.RawMessage(body))
		case len(s.Purposes) > 0:
			s.Purposes = s.Purposes[:len(s.Purposes)-1]
		case s.CallID != "":
			s.CallID = ""
		default:
			s.Notice = statusNotice{}
			s.Method = ""
			return writeJSON(w, shape(s))
		}
	}
}
