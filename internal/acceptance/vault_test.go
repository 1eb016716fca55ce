package acceptance

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"consentgw/consent"
	"consentgw/internal/phone"
	"consentgw/internal/sdp"
	"consentgw/internal/siprecxml"
	"consentgw/sip"

	"github.com/stretchr/testify/require"
)

// vault is a recorder that keeps packets as they come and opens none of them.
type vault struct {
	s     *site
	lines map[string]*sealed // by label

	mu       sync.Mutex // guards the packets of the lines
	sessions int
}

// sealed are the packets of one party, under a key that the gateway drew.
type sealed struct {
	conn    *net.UDPConn
	key     sdp.Crypto
	packets [][]byte
}

// openVault serves it by TCP.
func (s *site) openVault() (*vault, string) {
	v := &vault{s: s, lines: map[string]*sealed{}}
	endpoint, err := sip.Listen(sip.Config{Listen: []string{"tcp:127.0.0.1:0"}})
	require.NoError(s.t, err)
	ctx, end := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	for _, label := range []string{"1", "2"} {
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		require.NoError(s.t, err)
		line := &sealed{conn: conn}
		v.lines[label] = line
		serving.Go(func() { v.listen(line) })
	}
	serving.Go(func() { _ = endpoint.Serve(ctx, sip.Handler{Supported: []string{"siprec"}, Invite: v.invited}) })
	s.t.Cleanup(func() {
		end()
		for _, l := range v.lines {
			l.conn.Close()
		}
		serving.Wait()
	})
	return v, endpoint.Addrs()[0].AddrPort.String()
}

func (v *vault) listen(l *sealed) {
	for buf := make([]byte, 2048); ; {
		n, err := l.conn.Read(buf)
		if err != nil {
			return
		}
		v.mu.Lock()
		l.packets = append(l.packets, bytes.Clone(buf[:n]))
		v.mu.Unlock()
	}
}

// count is how many packets came with a label, reports included.
func (v *vault) count(label string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.lines[label].packets)
}

// invited takes a session, in the suite that every SRTP must know.
func (v *vault) invited(ctx context.Context, in *sip.Incoming) {
	doc := in.Document()
	body, _ := siprecxml.Decode(doc.ContentType, doc.Disposition, doc.Body)
	offer, err := sdp.Parse(body.SDP)
	if err != nil || in.SetEarly(sip.Early{ContactParams: []string{"+sip.srs"}}) != nil {
		_ = in.Reject(488, "Not Acceptable Here")
		return
	}
	leg, err := in.Answer(ctx, v.answer(offer).Marshal(), sip.InDialog{
		Offer: func(body []byte) ([]byte, error) {
			again, err := sdp.Parse(body)
			if err != nil {
				return nil, err
			}
			return v.answer(again).Marshal(), nil
		},
		Document: func(sip.Document) int { return 200 },
	})
	if err != nil {
		return
	}
	v.mu.Lock()
	v.sessions++
	v.mu.Unlock()
	<-leg.Context().Done()
}

func (v *vault) answer(offer *sdp.Session) *sdp.Session {
	loopback := netip.MustParseAddr("127.0.0.1")
	answer := &sdp.Session{ID: 1, Version: offer.Version, Addr: loopback}
	for _, m := range offer.Media {
		i := slices.IndexFunc(m.Crypto, func(c sdp.Crypto) bool { return c.Suite == sdp.AESCM80 })
		label := slices.IndexFunc(m.Attributes, func(a sdp.Attribute) bool { return a.Key == "label" })
		line := v.lines[m.Attributes[label].Value]
		v.mu.Lock()
		line.key = m.Crypto[i]
		v.mu.Unlock()
		secret := bytes.Repeat([]byte{7}, sdp.AESCM80.KeyBytes()) // nothing is ever sent under it
		answer.Media = append(answer.Media, sdp.Media{Kind: "audio", Proto: "RTP/SAVP", Addr: loopback, Direction: m.Direction.Reverse(),
			Port: line.conn.LocalAddr().(*net.UDPAddr).Port, Codecs: m.Codecs[:1], RTCPMux: m.RTCPMux,
			Crypto: []sdp.Crypto{{Tag: m.Crypto[i].Tag, Suite: sdp.AESCM80, Keys: []sdp.Key{sdp.NewKey(secret)}}}})
	}
	return answer
}

// opened are the packets of a label as libsrtp opens them: of RTP and of RTCP.
func (v *vault) opened(program, label string) (audio [][]byte, reports int) {
	v.mu.Lock()
	l := v.lines[label]
	var in bytes.Buffer
	for _, p := range l.packets {
		in.Write(binary.BigEndian.AppendUint16(nil, uint16(len(p))))
		in.Write(p)
	}
	key := hex.EncodeToString(l.key.Keys[0].Bytes())
	v.mu.Unlock()
	cmd := exec.CommandContext(v.s.ctx, program, key)
	cmd.Stdin = &in
	var problem bytes.Buffer
	cmd.Stderr = &problem
	out, err := cmd.Output()
	require.NoError(v.s.t, err, problem.String())
	for len(out) >= 2 {
		size := int(binary.BigEndian.Uint16(out))
		p := out[2 : 2+size]
		if out = out[2+size:]; p[1] >= 192 && p[1] <= 223 {
			reports++
		} else {
			audio = append(audio, p)
		}
	}
	return audio, reports
}

// openFront starts Kamailio with TLS before a recorder, and returns where it listens.
func (s *site) openFront(recorder string, by *issuer) string {
	t := s.t
	t.Helper()
	dir, outside := t.TempDir(), freePort(t)
	cert, key := by.issue("front")
	certificates := filepath.Join(dir, "tls")
	cfg := strings.NewReplacer("tls:OUTSIDE", "tls:"+outside, "tcp:INSIDE", "tcp:"+freePort(t), "sip:RECORDER", "sip:"+recorder, `"CERTIFICATES"`, `"`+certificates+`"`).
		Replace(readFile(t, "../../testdata/kamailio/tls.cfg"))
	require.NoError(t, os.WriteFile(certificates, []byte("[server:default]\nmethod = TLSv1.2+\nverify_certificate = yes\nrequire_certificate = yes\n"+
		"private_key = "+key+"\ncertificate = "+cert+"\nca_list = "+by.ca+"\n"), 0o600))
	startKamailio(t, dir, cfg)
	s.poll("Kamailio to listen", func() bool {
		c, err := net.Dial("tcp", outside)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return outside
}

// TestARecorderBehindTheTLSAndTheSRTPOfOthers: Kamailio checks our certificate and
// shows its own, libsrtp opens the copies with the key of our offer, and finds what
// both said. A certificate that nobody vouches for costs the recording, not the call.
func TestARecorderBehindTheTLSAndTheSRTPOfOthers(t *testing.T) {
	needsReal(t)
	needs(t, "kamailio", "gcc")
	program := filepath.Join(t.TempDir(), "unprotect")
	out, err := exec.Command("gcc", "-o", program, "../../testdata/srtp/unprotect.c", "-lsrtp2").CombinedOutput()
	require.NoError(t, err, "%s", out)
	for name, vouched := range map[string]bool{"vouched for": true, "not vouched for": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			by := newIssuer(t)
			cert, key := by.issue("gateway")
			trusted := by.ca
			if !vouched {
				trusted = newIssuer(t).ca
			}
			s := newSite(t, plan{info: true, embedded: true})
			v, inside := s.openVault()
			front := s.openFront(inside, by)
			s.rewrite("  recorder:\n    sip: [", `  recorder:
    tls: {cert: "`+cert+`", key: "`+key+`"}
    sip: ["tls:`+freePort(t)+`", `)
			s.rewrite(towerComment, `  - {name: `+towerName+`, type: siprec, srtp: required, uri: "sip:srs@`+front+`;transport=tls", tls: {cert: "`+cert+`", key: "`+key+`", ca: "`+trusted+`"}}`+"\n")
			s.rewrite("recorders: [archive]", "recorders: [archive, "+towerName+"]")
			s.start()
			c, err := s.connected(s.openPhone(), s.openCenter(), "sealed", "1")
			require.NoError(t, err)
			a := &ailing{conversation: c}
			if !vouched {
				a.noted("recorder_failed")
				require.NoError(t, c.talks(25))
				r := c.hangsUp()
				require.Nil(t, recordingAt(r, towerName))
				require.Zero(t, v.count("1")+v.count("2"))
				return
			}
			s.poll("copies", func() bool { return v.count("1") > 50 && v.count("2") > 50 })
			c.hushed()
			c.compareSealed(v, program)
		})
	}
}

// compareSealed ends the call and finds what the vault has among what was said.
func (v *conversation) compareSealed(at *vault, program string) {
	t := v.t
	r := v.hangsUp()
	rec := recordingAt(r, towerName)
	for _, way := range []struct {
		label   string
		claimed consent.Copies
		said    [][]byte
	}{
		{"1", rec.Caller, payloads(v.caller.Sent())},
		{"2", rec.Agent, payloads(v.agent.line.Sent())},
	} {
		v.poll("the last packets and the goodbye", func() bool { return at.count(way.label) > int(way.claimed.Packets) })
		audio, reports := at.opened(program, way.label)
		require.Len(t, audio, int(way.claimed.Packets))
		require.Positive(t, reports)
		for _, p := range audio {
			require.True(t, slices.ContainsFunc(way.said, func(s []byte) bool { return bytes.Equal(s, p[12:]) }), "a copy of nothing that was said")
		}
	}
	t.Logf("libsrtp opened %d and %d packets, as many as the record claims, and found in them what was said", rec.Caller.Packets, rec.Agent.Packets)
}

// payloads are those of the speech among the packets.
func payloads(packets []phone.Packet) (list [][]byte) {
	for _, p := range audio(packets) {
		list = append(list, p.Payload)
	}
	return list
}

// rewrite changes the configuration of a site that has not started.
func (s *site) rewrite(old, new string) {
	s.t.Helper()
	require.NoError(s.t, os.WriteFile(s.file, []byte(replaced(s.t, readFile(s.t, s.file), old, new)), 0o600))
}
