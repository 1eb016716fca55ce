package acceptance

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"consentgw/internal/dtmf"

	"github.com/stretchr/testify/require"
)

// baresip is a softphone that is driven over TCP. It does not press by INFO.
type baresip struct {
	*program
	handset
	control net.Conn
}

// account is how a baresip is told of its user.
func (h handset) account() string {
	codec := h.codec
	if codec == "opus" {
		codec = "opus/48000/2"
	}
	words := []string{fmt.Sprintf("<sip:%s@%s:%s>", h.user, ownAddress, h.port), "regint=0", "answermode=auto", "audio_codecs=" + codec}
	switch h.srtp {
	case "optional":
		words = append(words, "mediaenc=srtp")
	case "required":
		words = append(words, "mediaenc=srtp-mand")
	}
	return strings.Join(words, ";") + "\n"
}

// rate is how many samples a second a softphone reads and writes.
func (h handset) rate() int {
	switch h.codec {
	case "G722":
		return 16000
	case "opus":
		return 48000
	}
	return 8000
}

// openBaresip starts a baresip on the own network.
func (s *site) openBaresip(h handset) *baresip {
	s.t.Helper()
	control := net.JoinHostPort(ownAddress, portOf(freePort(s.t)))
	p, _ := s.runProgram("baresip", func(dir string) []string {
		config := strings.Join([]string{
			"sip_listen " + ownAddress + ":" + h.port, "audio_source aufile," + sound(s.t, filepath.Join(dir, "voice.wav"), h.rate(), steady(h.hertz, h.rate())), "audio_path " + dir,
			fmt.Sprint("ausrc_srate ", h.rate()), "ausrc_channels 1", "ausrc_format s16", "snd_path " + dir,
			"module_path /usr/lib/baresip/modules", "module g711.so", "module g722.so", "module opus.so", "module aufile.so", "module sndfile.so",
			"module srtp.so", "module_tmp account.so", "module_app menu.so", "module_app ctrl_tcp.so", "ctrl_tcp_listen " + control,
		}, "\n") + "\n"
		for file, text := range map[string]string{"config": config, "accounts": h.account(), "contacts": ""} {
			require.NoError(s.t, os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600))
		}
		return []string{"-f", dir}
	}, false)
	p.await("baresip is ready.")
	b := &baresip{program: p, handset: h}
	s.poll("the control socket of baresip", func() (ok bool) {
		var err error
		b.control, err = net.Dial("tcp", control)
		return err == nil
	})
	events := make(chan struct{})
	go func() {
		defer close(events)
		b.follow(b.control)
	}()
	s.t.Cleanup(func() {
		b.control.Close()
		<-events
	})
	return b
}

// command sends a command as a netstring.
func (b *baresip) command(name, params string) {
	b.s.t.Helper()
	text, err := json.Marshal(map[string]string{"command": name, "params": params})
	require.NoError(b.s.t, err)
	_, err = fmt.Fprintf(b.control, "%d:%s,", len(text), text)
	require.NoError(b.s.t, err)
}

func (b *baresip) dial(uri string) { b.command("dial", uri) }
func (b *baresip) hangup()         { b.command("hangup", "") }

func (b *baresip) press(key string) {
	if b.keys == dtmf.Inband {
		b.command("ausrc", "aufile,"+sound(b.s.t, filepath.Join(b.dir, "pressed.wav"), b.rate(), pressed(key, b.hertz, b.rate())))
		return
	}
	b.command("sndcode", key)
}

// dump is the file of what it hears.
func (b *baresip) dump() string {
	files, _ := filepath.Glob(filepath.Join(b.dir, "dump-*-dec.wav"))
	slices.Sort(files)
	if len(files) == 0 {
		return ""
	}
	return files[len(files)-1]
}

func (b *baresip) heard() []int16 { return readVoice(b.dump(), b.rate()) }

func (b *baresip) ended() { b.await("terminated (duration") }
