package headers

import (
	"errors"
	"slices"
	"strings"
)

// The two headers that say where a call was before. They are written anew, see
// [History].
const (
	historyInfo = "history-info"
	diversion   = "diversion"
)

// checkName says why no platform may be given a header of the caller's, or nil.
func checkName(name string) error {
	lower := strings.ToLower(name)
	switch {
	case !isToken(name) || len(name) > maxName:
		return errors.New("must be the name of a SIP header, such as X-Account-Id")
	case len(name) == 1:
		return errors.New("must be the long form of the name")
	case strings.HasPrefix(lower, "x-consent"), strings.HasPrefix(lower, "x-recording"), lower == "x-cid":
		return errors.New("must not be a header by which the gateway itself tells of the consent")
	case slices.Contains(ours(), lower):
		return errors.New("must not be a header that steers or secures the call, or says who calls: the gateway writes those itself")
	}
	return nil
}

// ours lists the headers of RFC 3261 and its extensions that belong to one hop
// or one dialog, prove something, say who calls, or describe a network. Of one
// leg they mean nothing on another, or something dangerous.
func ours() []string {
	return strings.Fields(`
		accept-contact accept-resource-priority allow allow-events authentication-info authorization call-id contact
		content-disposition content-encoding content-id content-language content-length content-type cseq date event expires
		feature-caps flow-timer from identity identity-info info-package join max-breadth max-forwards mime-version min-expires
		min-se p-access-network-info p-asserted-identity p-asserted-service p-associated-uri p-charge-info
		p-charging-function-addresses p-charging-vector p-early-media p-preferred-identity p-preferred-service p-profile-key
		p-served-user p-user-database p-visited-network-id path priv-answer-mode privacy proxy-authenticate
		proxy-authentication-info proxy-authorization proxy-require rack record-route recv-info refer-sub refer-to referred-by
		reject-contact remote-party-id replaces request-disposition require retry-after route rseq security-client security-server
		security-verify server service-route session-expires session-id sip-etag sip-if-match subscription-state supported
		target-dialog timestamp to unsupported user-agent via www-authenticate`)
}

// Pass takes the named headers from those of an INVITE, which values returns one
// for each line. Of each the first line goes on, if it is clean: what comes more
// than once means another thing to everyone who reads it. Names that
// [Preset.Takes] refuses are passed over, and so are History-Info and Diversion.
func Pass(names []string, values func(name string) []string) []Field {
	var passed []Field
	size, done := 0, map[string]bool{historyInfo: true, diversion: true}
	for _, name := range names {
		lower := strings.ToLower(name)
		if done[lower] || checkName(name) != nil {
			continue
		}
		done[lower] = true
		all := values(name)
		if len(all) == 0 {
			continue
		}
		value, ok := clean(all[0])
		if size += len(name) + len(value); !ok || size > maxPassed {
			continue
		}
		passed = append(passed, Field{name, value})
	}
	return passed
}

// Turn is one place where a call was before it came here.
type Turn struct {
	User      string // whose number it was
	Diversion bool   // of a Diversion header, else of History-Info
	Index     string // of History-Info
	Reason    string // why it went on; empty if not said
}

// History writes the turns of a call as the headers among names, History-Info
// (RFC 7044 section 5) and Diversion (RFC 5806 section 4). The numbers go on; the
// hosts, which tell of the carrier's network, become host. Turns of people who
// asked for privacy are for the caller to leave out.
func History(names []string, turns []Turn, host string) []Field {
	wanted := func(name string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
	}
	var fields []Field
	for _, t := range turns {
		switch {
		case t.User == "":
		case t.Diversion && wanted(diversion):
			fields = append(fields, Field{"Diversion", "<" + URI(t.User, host) + ">;reason=" + diversionReason(t.Reason)})
		case !t.Diversion && wanted(historyInfo):
			fields = append(fields, Field{"History-Info", historyEntry(t, host)})
		}
		if len(fields) == maxTurns {
			break
		}
	}
	return fields
}

const maxTurns = 8

// diversionReason is one of the words of RFC 5806 section 4, or a token of the
// sender's.
func diversionReason(reason string) string {
	if reason = strings.Trim(reason, `"`); !isToken(reason) || len(reason) > maxName {
		return "unknown"
	}
	return strings.ToLower(reason)
}

func historyEntry(t Turn, host string) string {
	entry := "<" + URI(t.User, host)
	if t.Reason != "" {
		entry += "?Reason=" + escape(t.Reason, "-_.!~*'()")
	}
	entry += ">"
	if t.Index != "" && strings.Trim(t.Index, "0123456789.") == "" {
		entry += ";index=" + t.Index
	}
	return entry
}
