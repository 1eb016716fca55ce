package acceptance

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"consentgw/internal/dtmf"

	"github.com/stretchr/testify/require"
)

// linphone is a softphone that is driven by lines. What it says cannot be changed
// during a call: if it is to press by tones, it says a 1 over and over.
type linphone struct {
	*program
	handset
	in io.Writer
}

// settings are the configuration of a linphone.
func (h handset) settings(media string) string {
	lines := []string{"[sip]", "sip_port=" + h.port, "sip_tcp_port=0", "sip_tls_port=0"}
	lines = append(lines, fmt.Sprint("use_info=", number(h.keys == dtmf.Info)), fmt.Sprint("use_rfc2833=", number(h.keys == dtmf.RFC4733)))
	if h.srtp != "off" {
		lines = append(lines, "media_encryption=srtp", fmt.Sprint("media_encryption_mandatory=", number(h.srtp == "required")))
	}
	lines = append(lines, "[rtp]", "audio_rtp_port="+media, "[misc]", "log_collection=0",
		// Of its codecs this is the only one that it must be told of; which of
		// them is spoken the gateway says.
		"[audio_codec_0]", "mime=G722", "rate=8000", "channels=1", "enabled=1")
	return strings.Join(lines, "\n") + "\n"
}

func number(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// openLinphone starts a linphone on the own network.
func (s *site) openLinphone(h handset) *linphone {
	s.t.Helper()
	p, in := s.runProgram("linphonec", func(dir string) []string {
		said := steady(h.hertz, h.rate())
		if h.keys == dtmf.Inband {
			said = slices.Concat(pressed("1", h.hertz, h.rate())[:2*h.rate()], said)
			said = slices.Concat(said[:2*h.rate()], said[:2*h.rate()], said)
		}
		sound(s.t, filepath.Join(dir, "voice.wav"), h.rate(), said)
		require.NoError(s.t, os.WriteFile(filepath.Join(dir, "rc"), []byte(h.settings(portOf(freePort(s.t)))), 0o600))
		// Without the folder of its database it does not even listen.
		require.NoError(s.t, os.MkdirAll(filepath.Join(dir, ".local/share/linphone"), 0o700))
		return []string{"-c", "rc", "-a"}
	}, true)
	l := &linphone{p, h, in}
	l.tell("soundcard use files")
	l.tell("play " + filepath.Join(l.dir, "voice.wav"))
	l.tell("record " + filepath.Join(l.dir, "heard.wav"))
	l.await("Using wav files")
	s.poll("linphone to listen", func() bool { return listens(":" + h.port) })
	return l
}

func (l *linphone) tell(line string) {
	l.s.t.Helper()
	_, err := io.WriteString(l.in, line+"\n")
	require.NoError(l.s.t, err)
}

func (l *linphone) dial(uri string) { l.tell("call " + uri) }
func (l *linphone) hangup()         { l.tell("terminate") }

func (l *linphone) press(key string) {
	if l.keys != dtmf.Inband {
		l.tell(key)
	}
}

func (l *linphone) heard() []int16 { return readVoice(filepath.Join(l.dir, "heard.wav"), l.rate()) }

func (l *linphone) ended() { l.await(" ended (") }
