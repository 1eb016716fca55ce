package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"consentgw/consent"
)

// oddCallIDs are what a trunk may send, or an attacker.
func oddCallIDs() []string {
	return []string{"a@b", "a", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6@[2001:db8::1]:5060", "../../etc/passwd",
		"a/b%2Fc?d#e", "{a}b", "}{", "*", "a*", "with space", "\"quoted\"<>[]", "nul\x00inside", "nul\x00", "line\r\nbreak",
		"\xff\xfe\x80", "é", "sha256:00", ":", strings.Repeat("x", 200), strings.Repeat("x", 60000)}
}

func readCases() map[string]func(*testing.T, *bench) {
	return map[string]func(*testing.T, *bench){
		"what is not there is not found": func(t *testing.T, b *bench) {
			b.put(Record())
			for _, id := range []consent.RecordID{"", "0198f3c1-7a58-7c3e-9a55-3f0d4f5b6a71", "{}", "call:a", "\x00"} {
				_, err := b.Get(b.ctx(), id)
				require.ErrorIs(t, err, consent.ErrNotFound, "%q", id)
				_, err = b.Find(b.ctx(), string(id))
				require.ErrorIs(t, err, consent.ErrNotFound, "%q", id)
			}
		},
		"a call is found by record id and by the Call-ID of either leg": func(t *testing.T, b *bench) {
			r := Record(Granted)
			b.put(Record(), r, Record())
			for _, call := range []string{string(r.ID), r.Call.TrunkCallID, r.Call.PlatformCallID} {
				found, err := b.Find(b.ctx(), call)
				require.NoError(t, err)
				require.Equal(t, r, found)
			}
		},
		"a platform Call-ID that came later is found": func(t *testing.T, b *bench) {
			r := Record()
			later := next(r, func(r *consent.Record) { r.Call.PlatformCallID = "late@192.0.2.20" })
			b.put(r, next(r), next(later))
			found, err := b.Find(b.ctx(), "late@192.0.2.20")
			require.NoError(t, err)
			require.Equal(t, next(later), found)
		},
		"a platform Call-ID that was replaced is found still": func(t *testing.T, b *bench) {
			r := Record(Granted)
			first := r.Call.PlatformCallID
			moved := next(r, func(r *consent.Record) {
				r.Call.FormerCallIDs, r.Call.PlatformCallID = []string{first}, "moved@192.0.2.20"
			})
			b.put(r, moved, next(moved, Ended))
			for _, call := range []string{first, "moved@192.0.2.20"} {
				found, err := b.Find(b.ctx(), call)
				require.NoError(t, err, call)
				require.Equal(t, r.ID, found.ID, call)
			}
		},
		"odd Call-IDs are found, each its own": func(t *testing.T, b *bench) {
			var records []*consent.Record
			for _, call := range oddCallIDs() {
				records = append(records, Record(Calls(call, "platform "+call)))
			}
			b.put(records...)
			for i, call := range oddCallIDs() {
				for _, leg := range []string{call, "platform " + call} {
					found, err := b.Find(b.ctx(), leg)
					require.NoError(t, err, "%.30q", leg)
					require.Equal(t, records[i].ID, found.ID, "%.30q", leg)
				}
			}
			for _, stranger := range []string{"a\x00", "nul", "b", "sha256:", strings.Repeat("x", 201), "A@B"} {
				_, err := b.Find(b.ctx(), stranger)
				require.ErrorIs(t, err, consent.ErrNotFound, "%.30q", stranger)
			}
		},
		"a number that is no text is searched for as it came": func(t *testing.T, b *bench) {
			r := Record(func(r *consent.Record) { r.Subject = "\xff\x00\xfe" })
			b.put(r, Record())
			require.Equal(t, ids(r), b.search(consent.Query{Subject: r.Subject}))
		},
		"a Call-ID that came twice is the newest call, in whatever order they were stored": func(t *testing.T, b *bench) {
			old := Record(After(0), Calls("again", ""))
			newest := Record(After(time.Hour), Calls("leg", "again"))
			middle := Record(After(time.Minute), Calls("again", "again"))
			b.put(middle, newest, old)
			found, err := b.Find(b.ctx(), "again")
			require.NoError(t, err)
			require.Equal(t, newest.ID, found.ID)
		},
		"a Call-ID that looks like a record id does not hide the record": func(t *testing.T, b *bench) {
			victim := Record()
			b.put(victim, Record(After(time.Hour), Calls(string(victim.ID), "")))
			found, err := b.Find(b.ctx(), string(victim.ID))
			require.NoError(t, err)
			require.Equal(t, victim.ID, found.ID)
		},
		"what is returned is the caller's own": func(t *testing.T, b *bench) {
			r := Record(Granted)
			b.put(r)
			got, err := b.Get(b.ctx(), r.ID)
			require.NoError(t, err)
			got.Press.Key, got.History[0].Text = "2", "changed"
			b.holds(r)
		},
		"unfinished records are those of the node without an end, oldest first": func(t *testing.T, b *bench) {
			onNode := func(node string) func(*consent.Record) { return func(r *consent.Record) { r.Node = node } }
			second, first := Record(After(time.Minute)), Record()
			ends, ended := Record(After(time.Hour)), Record(Ended)
			b.put(second, first, ends, ended, Record(onNode("gw-test2")), Record(onNode("gw")), next(first))
			open, err := b.Unfinished(b.ctx(), Node)
			require.NoError(t, err)
			require.Equal(t, ids(first, second, ends), open)

			b.put(next(ends, Ended))
			open, err = b.Unfinished(b.ctx(), Node)
			require.NoError(t, err)
			require.Equal(t, ids(first, second), open)
			for node, want := range map[string]int{"gw": 1, "gw-test2": 1, "": 0, "gw-t*": 0} {
				open, err = b.Unfinished(b.ctx(), node)
				require.NoError(t, err)
				require.Len(t, open, want, node)
			}
		},
		"a store that works answers a ping": func(t *testing.T, b *bench) {
			require.NoError(t, b.Ping(b.ctx()))
			require.NoError(t, b.Ping(b.ctx()))
			require.Empty(t, b.search(consent.Query{}))
		},
	}
}
