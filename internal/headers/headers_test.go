package headers_test

import (
	"encoding/hex"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/internal/headers"
)

const record = "0192f3c2-7a11-7000-8000-00000000002a"

func told() headers.Consent {
	return headers.Consent{Status: "granted", RecordID: record, Outcome: "given", Language: "nl", Recording: "on", CallID: "a84b@trunk.example"}
}

func preset(t testing.TB, name string) headers.Preset {
	p, ok := headers.PresetOf(name)
	require.True(t, ok)
	return p
}

func TestEveryPresetTellsOfTheConsentInTheSameHeaders(t *testing.T) {
	for _, name := range headers.PresetNames() {
		assert.Equal(t, []headers.Field{
			{"X-Consent-Status", "granted"}, {"X-Consent-Id", record}, {"X-Consent-Outcome", "given"},
			{"X-Recording", "on"}, {"X-CID", "a84b@trunk.example"}, {"X-Consent-Language", "nl"},
		}, preset(t, name).Fields(told(), false), name)
	}
}

func TestALanguageThatIsNotThereIsNotTold(t *testing.T) {
	c := told()
	c.Language = ""
	for _, f := range preset(t, "").Fields(c, false) {
		assert.NotEmpty(t, f.Value, f.Name)
	}
}

func TestUserToUserHasTheFormOfThePlatform(t *testing.T) {
	data := "cg1.granted.on." + record
	text := hex.EncodeToString([]byte(data))
	for name, want := range map[string]headers.Field{
		"generic":    {"User-to-User", "00" + text + ";encoding=hex;purpose=isdn-uui;content=isdn-uui"},
		"genesys":    {"User-to-User", text + ";pd=00;encoding=hex;purpose=isdn-uui;content=isdn-uui"},
		"amazon":     {"User-to-User", text + ";encoding=hex"},
		"twilio":     {"User-to-User", text + ";encoding=hex"},
		"audiocodes": {"X-User-to-User", data + ";encoding=ascii"},
	} {
		fields := preset(t, name).Fields(told(), true)
		assert.Equal(t, want, fields[len(fields)-1], name)
	}
	assert.Less(t, len(data)+1, 128, "with its discriminator (RFC 7434 section 3)")
	for _, f := range preset(t, "nice").Fields(told(), true) {
		assert.True(t, strings.HasPrefix(f.Name, "X-"), "nice reads no other: %s", f.Name)
	}
}

func TestAPresetThatIsNoneIsNotFound(t *testing.T) {
	_, ok := headers.PresetOf("avaya")
	assert.False(t, ok)
}

func TestWhatMayNotBePassedIsRefusedWithItsReason(t *testing.T) {
	for _, c := range []struct {
		preset, name string
		uui          bool
		want         string // part of the error; empty: passed
	}{
		{"generic", "X-Account-Id", false, ""},
		{"generic", "x-account-id", false, ""},
		{"generic", "User-to-User", false, ""},
		{"generic", "History-Info", false, ""},
		{"generic", "Diversion", false, ""},
		{"generic", "Subject", false, ""},
		{"generic", "X-Consent-Status", false, "tells of the consent"},
		{"generic", "x-CONSENT-whatever", false, "tells of the consent"},
		{"generic", "X-Recording", false, "tells of the consent"},
		{"generic", "x-recording-state", false, "tells of the consent"},
		{"generic", "x-cid", false, "tells of the consent"},
		{"generic", "Via", false, "steers or secures"},
		{"generic", "record-ROUTE", false, "steers or secures"},
		{"generic", "Authorization", false, "steers or secures"},
		{"generic", "P-Asserted-Identity", false, "who calls"},
		{"generic", "Remote-Party-ID", false, "who calls"},
		{"generic", "Identity", false, "who calls"},
		{"generic", "Content-Length", false, "steers or secures"},
		{"generic", "v", false, "long form"},
		{"generic", "", false, "the name of a SIP header"},
		{"generic", "X-A: b", false, "the name of a SIP header"},
		{"generic", "X-A\r\nX-B", false, "the name of a SIP header"},
		{"generic", strings.Repeat("x", 65), false, "the name of a SIP header"},
		{"generic", "User-to-User", true, "user_to_user: false"},
		{"audiocodes", "x-user-to-user", true, "user_to_user: false"},
		{"genesys", "X-Genesys-Anything", false, "must not begin with x-genesys"},
		{"genesys", "x-inin-cnv", false, "must not begin with x-inin"},
		{"genesys", "X-Account-Id", false, ""},
		{"twilio", "X-Twilio-CallSid", false, "must not begin with x-twilio-"},
		{"twilio", "Subject", false, "must begin with X-"},
		{"twilio", "User-to-User", false, ""},
		{"amazon", "Diversion", false, ""},
		{"amazon", "History-Info", false, "must begin with X-"},
		{"nice", "User-to-User", false, "must begin with X-"},
		{"nice", "Diversion", false, "must begin with X-"},
		{"nice", "X-Account-Id", false, ""},
	} {
		err := preset(t, c.preset).Takes(c.name, c.uui)
		if c.want == "" {
			assert.NoError(t, err, "%s: %s", c.preset, c.name)
			continue
		}
		require.Error(t, err, "%s: %s", c.preset, c.name)
		assert.Contains(t, err.Error(), c.want)
		assert.True(t, strings.HasPrefix(err.Error(), "must"))
	}
}

func TestAPassedValueIsCleanOrIsLeftOut(t *testing.T) {
	for name, c := range map[string]struct {
		values []string
		want   string
	}{
		"plain":              {[]string{"12345"}, "12345"},
		"blanks around":      {[]string{" \t12 345\t"}, "12 345"},
		"a tab within":       {[]string{"12\t345"}, "12 345"},
		"text of the world":  {[]string{"Zoë 日本"}, "Zoë 日本"},
		"the first of two":   {[]string{"1", "2"}, "1"},
		"the first is foul":  {[]string{"1\n", "a\nb", "2"}, "1"},
		"a line feed":        {[]string{"a\nX-Consent-Status: granted"}, ""},
		"a carriage return":  {[]string{"a\rb"}, ""},
		"a NUL":              {[]string{"a\x00b"}, ""},
		"a vertical tab":     {[]string{"a\vb"}, ""},
		"a delete":           {[]string{"a\x7fb"}, ""},
		"a next line of C1":  {[]string{"a\u0085b"}, ""},
		"a line separator":   {[]string{"a\u2028b"}, ""},
		"no UTF-8":           {[]string{"a\xffb"}, ""},
		"an overlong escape": {[]string{"a\xc0\x8ab"}, ""},
		"nothing":            {[]string{"  "}, ""},
		"too long":           {[]string{strings.Repeat("a", 513)}, ""},
		"as long as may be":  {[]string{strings.Repeat("a", 512)}, strings.Repeat("a", 512)},
		"not there":          {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := headers.Pass([]string{"X-Account-Id"}, func(string) []string { return c.values })
			if c.want == "" {
				assert.Empty(t, got)
				return
			}
			assert.Equal(t, []headers.Field{{"X-Account-Id", c.want}}, got)
		})
	}
}

func TestAHeaderIsPassedOnceHoweverOftenItIsNamed(t *testing.T) {
	got := headers.Pass([]string{"X-A", "x-a"}, func(string) []string { return []string{"1"} })
	assert.Equal(t, []headers.Field{{"X-A", "1"}}, got)
}

func TestPassedHeadersAreBoundedTogether(t *testing.T) {
	names := []string{"X-A", "X-B", "X-C", "X-D", "X-E"}
	got := headers.Pass(names, func(string) []string { return []string{strings.Repeat("a", 500)} })
	assert.Len(t, got, 4)
}

func TestWhatIsNoBusinessOfThePlatformIsNotPassedEvenIfAsked(t *testing.T) {
	names := []string{"Via", "X-Consent-Id", "X-CID", "P-Asserted-Identity", "History-Info", "Diversion"}
	assert.Empty(t, headers.Pass(names, func(string) []string { return []string{"a"} }))
}

func TestTheHistoryKeepsNumbersAndHidesHosts(t *testing.T) {
	turns := []headers.Turn{
		{User: "+31205550105", Index: "1", Reason: "SIP;cause=302"},
		{User: "sales desk", Index: "1.1"},
		{User: "+31205550106", Diversion: true, Reason: "No-Answer"},
		{User: "+31205550107", Diversion: true, Reason: "a b"},
		{User: "", Diversion: true},
		{User: "a>\r\nX-B: c", Index: "1\r\n", Reason: "x\r\n"},
	}
	assert.Equal(t, []headers.Field{
		{"History-Info", "<sip:+31205550105@gw.example;user=phone?Reason=SIP%3Bcause%3D302>;index=1"},
		{"History-Info", "<sip:sales%20desk@gw.example>;index=1.1"},
		{"Diversion", "<sip:+31205550106@gw.example;user=phone>;reason=no-answer"},
		{"Diversion", "<sip:+31205550107@gw.example;user=phone>;reason=unknown"},
		{"History-Info", "<sip:a%3E%0D%0AX-B%3A%20c@gw.example?Reason=x%0D%0A>"},
	}, headers.History([]string{"history-info", "DIVERSION"}, turns, "gw.example"))
	assert.Empty(t, headers.History([]string{"X-Account-Id"}, turns, "gw.example"))
	assert.Len(t, headers.History([]string{"Diversion"}, make20(), "gw.example"), 8)
}

func make20() (turns []headers.Turn) {
	for range 20 {
		turns = append(turns, headers.Turn{User: "1", Diversion: true})
	}
	return turns
}

func FuzzNothingOfTheCallerBreaksOutOfItsHeader(f *testing.F) {
	for _, s := range []string{"12345", "a\nb", "a\x00b", "\xff", "a\r\nVia: x", "\u0085", "SIP;cause=302"} {
		f.Add(s, s, s)
	}
	f.Fuzz(func(t *testing.T, value, user, reason string) {
		fields := headers.Pass([]string{"X-A"}, func(string) []string { return []string{value} })
		turns := []headers.Turn{{User: user, Reason: reason, Index: reason}, {User: user, Reason: reason, Diversion: true}}
		written := headers.History([]string{"Diversion", "History-Info"}, turns, "h.example")
		for _, f := range append(fields, written...) {
			if strings.ContainsFunc(f.Value, unicode.IsControl) {
				t.Errorf("%s: %q", f.Name, f.Value)
			}
		}
		for _, f := range written {
			if strings.Count(f.Value, "<") != 1 || strings.Count(f.Value, ">") != 1 {
				t.Errorf("%s: %q", f.Name, f.Value)
			}
		}
	})
}
