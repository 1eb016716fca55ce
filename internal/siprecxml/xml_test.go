package siprecxml_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/consent"
	"consentgw/internal/siprecxml"
)

// valid fails t unless doc is valid by the schema of RFC 7865, as xmllint sees it.
func valid(t *testing.T, doc []byte) {
	t.Helper()
	tool, err := exec.LookPath("xmllint")
	if err != nil {
		require.Empty(t, os.Getenv("CONSENTGW_REQUIRE_REAL"), "xmllint is not installed")
		t.Log("xmllint is not installed: the schema is not asked")
		return
	}
	file := filepath.Join(t.TempDir(), "metadata.xml")
	require.NoError(t, os.WriteFile(file, doc, 0o600))
	out, err := exec.Command(tool, "--nonet", "--noout", "--schema", "testdata/rfc7865.xsd", file).CombinedOutput()
	require.NoError(t, err, "%s\n%s", out, doc)
}

func view() siprecxml.View {
	at := time.Date(2026, 11, 23, 10, 14, 2, 418e6, time.FixedZone("CET", 3600))
	return siprecxml.View{
		Record: &consent.Record{
			ID:    "6f1d7a0e-5a55-4d86-9a0f-0f3f6a2f7c11",
			Call:  consent.Call{AnsweredAt: at, ConnectedAt: at.Add(10 * time.Second)},
			Terms: consent.Terms{Basis: "consent", Retention: consent.Retention{Recording: "P90D"}},
			Notice: consent.Notice{ID: "recording", Version: "1", Language: "nl", AudioSHA256: "9f86",
				Heard: consent.Heard{HeardMS: 9120, LengthMS: 9120}},
			Standing: consent.Standing{DecidedAt: at,
				Purposes: []consent.Grant{{Purpose: "quality", Granted: true}, {Purpose: "training"}}},
		},
		State:  consent.RecordingOn,
		Caller: siprecxml.Party{AOR: "sip:caller@anonymous.invalid", Label: "1"},
		Agent: siprecxml.Party{AOR: "sip:agent@anonymous.invalid", Label: "2",
			Params: []siprecxml.Param{{Name: "AmznConnectParticipantOrder", Value: "desc"}}},
		Since: at.Add(11 * time.Second),
	}
}

func document(t *testing.T, write func() (*siprecxml.Recording, error)) []byte {
	t.Helper()
	r, err := write()
	require.NoError(t, err)
	doc, err := r.Marshal()
	require.NoError(t, err)
	return doc
}

func TestWhatIsWrittenIsValidAndReadsBack(t *testing.T) {
	v := view()
	var book siprecxml.Book
	complete := document(t, v.Complete)
	first := complete
	for _, x := range []struct {
		name   string
		change func()
		write  func() (*siprecxml.Recording, error)
	}{
		{"complete", func() {}, func() (*siprecxml.Recording, error) { return v.Complete() }},
		{"paused", func() { v.State = consent.RecordingPaused }, func() (*siprecxml.Recording, error) { return v.Partial() }},
		{"withdrawn", func() {
			v.State = consent.RecordingOff
			v.Record.Withdrawal = &consent.Withdrawal{At: v.Since.Add(time.Minute)}
			v.Until = v.Since.Add(time.Minute)
		}, func() (*siprecxml.Recording, error) { return v.Partial() }},
		{"one direction", func() { v.Agent.Label = "" }, func() (*siprecxml.Recording, error) { return v.Complete() }},
		{"another namespace", func() { v.Namespace = "https://consent.example.com/ns/1" }, func() (*siprecxml.Recording, error) { return v.Complete() }},
	} {
		t.Run(x.name, func(t *testing.T) {
			x.change()
			doc := document(t, x.write)
			valid(t, doc)
			r, faults := book.Read(doc)
			require.Empty(t, faults, "%s", doc)
			require.Equal(t, string(v.State), r.Sessions[0].Consent.Recording)
			require.Equal(t, "6f1d7a0e-5a55-4d86-9a0f-0f3f6a2f7c11", r.Sessions[0].Consent.RecordID)
			if v.Namespace != "" {
				require.Equal(t, v.Namespace, r.Sessions[0].Consent.XMLName.Space)
			}
		})
	}
	golden, err := os.ReadFile("testdata/complete.xml")
	require.NoError(t, err)
	require.Equal(t, string(golden), string(first))
}

// TestEveryMistakeIsNamed breaks a valid document in one place at a time. What
// xmllint must refuse as well is marked: our checker is stricter than the schema.
func TestEveryMistakeIsNamed(t *testing.T) {
	v := view()
	good := string(document(t, v.Complete))
	for name, c := range map[string]struct {
		old, new, fault string
	}{
		"an unknown mode":        {"<datamode>complete", "<datamode>whole", "datamode must be complete or partial"},
		"a partial one at first": {"<datamode>complete", "<datamode>partial", "before the first complete one"},
		"text for an identifier": {`session_id="bx16DlpVTYaaDw8/ai98EQ=="`, `session_id="session-1"`, "session_id of session must be the base64"},
		"a short identifier":     {`participant_id="`, `participant_id="AAAA`, "participant_id of participant must be the base64"},
		"local time":             {"Z</start-time>", "+01:00</start-time>", "start-time must be a time in UTC"},
		"no time at all":         {"<start-time>2026", "<start-time>yesterday 2026", "start-time must be a time"},
		"no name":                {`<nameID aor="sip:caller@anonymous.invalid"></nameID>`, "", "participant needs a nameID"},
		"no address of record":   {` aor="sip:caller@anonymous.invalid"`, "", "nameID has no aor"},
		"an unknown element":     {"<label>1", "<tag>x</tag><label>1", `stream may not hold "tag"`},
		"an unknown attribute":   {"<group ", `<group colour="red" `, "group has an attribute"},
		"two labels":             {"<label>1</label>", "<label>1</label><label>3</label>", "label stands twice in stream"},
		"one label for two":      {"<label>2", "<label>1", "two streams have one label"},
		"a stranger as sender":   {"<send>", "<send>AAAAAAAAAAAAAAAAAAAAAA==</send><send>", "a stream that is not known"},
		"another root":           {"recording:1", "recording:2", "the root is not recording"},
		"a broken document":      {"</recording>", "", "not well-formed"},
		"a document type":        {"<recording ", "<!DOCTYPE recording><recording ", "document type"},
		"extension first":        {"<group-ref>", `<x xmlns="urn:x"/><group-ref>`, "group-ref stands too late in session"},
		"order":                  {"<datamode>complete</datamode>", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, good, c.old)
			doc := strings.Replace(good, c.old, c.new, 1)
			if name == "order" { // the same elements in another order
				doc = strings.TrimSuffix(doc, "</recording>\n") + "<datamode>complete</datamode></recording>"
				c.fault = "datamode stands too late in recording"
			}
			var book siprecxml.Book
			_, faults := book.Read([]byte(doc))
			var all []string
			for _, f := range faults {
				all = append(all, f.Error())
			}
			require.Contains(t, strings.Join(all, "\n"), c.fault)
		})
	}
}

func TestAPartialDocumentMayReferToAnEarlierOne(t *testing.T) {
	v := view()
	var book siprecxml.Book
	_, faults := book.Read(document(t, v.Complete))
	require.Empty(t, faults)
	assert.Equal(t, []string{"1", "2"}, book.Labels())
	later := `<recording xmlns="urn:ietf:params:xml:ns:recording:1"><datamode>partial</datamode>` +
		`<sessionrecordingassoc session_id="bx16DlpVTYaaDw8/ai98EQ=="/></recording>`
	_, faults = book.Read([]byte(later))
	require.Empty(t, faults)
}

func TestTheIdentifiersOfACallStayTheSameAndTellNothing(t *testing.T) {
	v, again := view(), view()
	a, err := v.Complete()
	require.NoError(t, err)
	b, err := again.Complete()
	require.NoError(t, err)
	require.Equal(t, a.Streams, b.Streams)
	again.Record.ID = "6f1d7a0e-5a55-4d86-9a0f-0f3f6a2f7c12"
	other, err := again.Complete()
	require.NoError(t, err)
	require.NotEqual(t, a.Streams[0].ID, other.Streams[0].ID)
	again.Record.ID = "not a uuid"
	_, err = again.Complete()
	require.ErrorIs(t, err, siprecxml.ErrNotUUID)
	_, err = again.Partial()
	require.ErrorIs(t, err, siprecxml.ErrNotUUID)
}

func TestASnapshotIsAskedFor(t *testing.T) {
	doc, err := siprecxml.SnapshotRequest("internal error")
	require.NoError(t, err)
	valid(t, doc)
	require.True(t, siprecxml.IsSnapshotRequest(doc))
	require.False(t, siprecxml.IsSnapshotRequest([]byte("<recording/>")))
	require.False(t, siprecxml.IsSnapshotRequest([]byte("no XML")))
}

func TestABodyIsReadInAllItsForms(t *testing.T) {
	m := siprecxml.Message{SDP: []byte("v=0\r\n"), Metadata: []byte("<recording/>"), MediaType: siprecxml.OldMediaType}
	kind, body, err := m.Encode()
	require.NoError(t, err)
	got, faults := siprecxml.Decode(kind, "", body)
	require.Empty(t, faults)
	require.Equal(t, m, got)
	got, faults = siprecxml.Decode(siprecxml.MediaType, "recording-session", []byte("<a/>"))
	require.Empty(t, faults)
	require.Equal(t, "<a/>", string(got.Metadata))

	for name, c := range map[string]struct{ kind, disposition, body, fault string }{
		"no disposition":    {siprecxml.MediaType, "", "<a/>", "Content-Disposition"},
		"another body":      {"text/plain", "", "x", "neither a session description nor metadata"},
		"no type":           {"", "", "x", "Content-Type cannot be read"},
		"no closing":        {"multipart/mixed;boundary=b", "", "--b\r\nContent-Type: application/sdp\r\n\r\nv=0", "not closed"},
		"two descriptions":  {"multipart/mixed;boundary=b", "", "--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b--", "two session descriptions"},
		"a picture beside":  {"multipart/mixed;boundary=b", "", "--b\r\nContent-Type: image/png\r\n\r\nx\r\n--b--", "neither"},
		"boundary is wrong": {"multipart/mixed;boundary=c", "", "--b--", "no parts"},
	} {
		t.Run(name, func(t *testing.T) {
			_, faults := siprecxml.Decode(c.kind, c.disposition, []byte(c.body))
			require.NotEmpty(t, faults)
			require.Contains(t, faults[0].Error(), c.fault)
		})
	}
}

func FuzzRead(f *testing.F) {
	v := view()
	r, err := v.Complete()
	require.NoError(f, err)
	doc, err := r.Marshal()
	require.NoError(f, err)
	f.Add(doc)
	f.Add([]byte("<recording xmlns='urn:ietf:params:xml:ns:recording:1'><datamode>partial</datamode></recording>"))
	f.Fuzz(func(t *testing.T, doc []byte) {
		var book siprecxml.Book
		if r, faults := book.Read(doc); r != nil && len(faults) == 0 {
			if _, err := r.Marshal(); err != nil {
				t.Fatalf("what was read without a fault cannot be written: %v", err)
			}
		}
		siprecxml.IsSnapshotRequest(doc)
	})
}

func FuzzDecode(f *testing.F) {
	f.Add("multipart/mixed;boundary=b", "", []byte("--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b--"))
	f.Fuzz(func(t *testing.T, kind, disposition string, body []byte) {
		siprecxml.Decode(kind, disposition, body)
	})
}
