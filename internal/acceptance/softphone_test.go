package acceptance

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"consentgw/internal/wav"

	"github.com/stretchr/testify/require"
)

// A softphone is somebody else's user agent that says one tone and writes down
// what it hears.
type softphone interface {
	dial(uri string)
	press(key string)
	hangup()
	await(event string) // an event in its own words
	heardBytes() int64  // so far, of 16 bits a sample, at 8 kHz
	heard() []int16     // at 8 kHz, once the call is over
}

// program is a softphone's process, driven by lines or messages.
type program struct {
	s    *site
	dir  string
	cmd  *exec.Cmd
	done chan struct{}

	mu  sync.Mutex // of log
	log strings.Builder
}

// runProgram starts a softphone in a folder of its own. It is killed with the
// test.
func (s *site) runProgram(name string, args func(dir string) []string, stdin bool) (*program, io.Writer) {
	s.t.Helper()
	p := &program{s: s, dir: s.t.TempDir(), done: make(chan struct{})}
	p.cmd = exec.Command(name, args(p.dir)...)
	p.cmd.Dir = p.dir
	p.cmd.Env = append(os.Environ(), "HOME="+p.dir, "TERM=dumb")
	out, err := p.cmd.StdoutPipe()
	require.NoError(s.t, err)
	p.cmd.Stderr = p.cmd.Stdout
	var in io.WriteCloser
	if stdin {
		in, err = p.cmd.StdinPipe()
		require.NoError(s.t, err)
	}
	require.NoError(s.t, p.cmd.Start())
	go func() {
		defer close(p.done)
		p.follow(out)
		p.cmd.Wait() // it is killed in the end
	}()
	s.t.Cleanup(func() {
		p.cmd.Process.Signal(syscall.SIGKILL)
		<-p.done
		if s.t.Failed() {
			s.t.Logf("%s said:\n%s", name, p.said())
		}
	})
	return p, in
}

func (p *program) follow(out io.Reader) {
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		p.note(line)
		if err != nil {
			return
		}
	}
}

func (p *program) note(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log.WriteString(text)
}

func (p *program) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

func (p *program) await(event string) {
	p.s.t.Helper()
	p.s.poll(event, func() bool { return strings.Contains(p.said(), event) }, p.said)
}

// voice writes the tone that a softphone says.
func voice(t *testing.T, dir string, hertz float64, rate int) string {
	t.Helper()
	file := filepath.Join(dir, "voice.wav")
	f, err := os.Create(file)
	require.NoError(t, err)
	require.NoError(t, wav.Write(f, rate, 1, tone(hertz*8000/float64(rate), rate*120)))
	require.NoError(t, f.Close())
	return file
}

// baresip is a softphone that is driven over TCP.
type baresip struct {
	*program
	rate    int // samples a second of what it says and hears
	control net.Conn
}

// openBaresip starts a baresip at a port of the own network, which answers calls
// to its user.
func (s *site) openBaresip(user, port, codec string, hertz float64) *baresip {
	s.t.Helper()
	rate := 8000
	if codec == "G722" {
		rate = 16000
	}
	control := net.JoinHostPort(ownAddress, portOf(freePort(s.t)))
	p, _ := s.runProgram("baresip", func(dir string) []string {
		config := strings.Join([]string{
			"sip_listen " + ownAddress + ":" + port, "audio_source aufile," + voice(s.t, dir, hertz, rate), "audio_path " + dir,
			fmt.Sprint("ausrc_srate ", rate), "ausrc_channels 1", "ausrc_format s16", "snd_path " + dir,
			"module_path /usr/lib/baresip/modules", "module g711.so", "module g722.so", "module aufile.so", "module sndfile.so",
			"module_tmp account.so", "module_app menu.so", "module_app ctrl_tcp.so", "ctrl_tcp_listen " + control,
		}, "\n") + "\n"
		account := fmt.Sprintf("<sip:%s@%s:%s>;regint=0;answermode=auto;audio_codecs=%s\n", user, ownAddress, port, codec)
		for file, text := range map[string]string{"config": config, "accounts": account, "contacts": ""} {
			require.NoError(s.t, os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600))
		}
		return []string{"-f", dir}
	}, false)
	p.await("baresip is ready.")
	b := &baresip{program: p, rate: rate}
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

func (b *baresip) dial(uri string)  { b.command("dial", uri) }
func (b *baresip) press(key string) { b.command("sndcode", key) }
func (b *baresip) hangup()          { b.command("hangup", "") }

func (b *baresip) dump() string {
	files, _ := filepath.Glob(filepath.Join(b.dir, "dump-*-dec.wav"))
	slices.Sort(files)
	if len(files) == 0 {
		return ""
	}
	return files[len(files)-1]
}

func (b *baresip) heardBytes() int64 { return sizeOf(b.dump()) * 8000 / int64(b.rate) }

func (b *baresip) heard() []int16 {
	b.s.t.Helper()
	b.await("terminated (duration") // the file is whole
	return readVoice(b.s.t, b.dump())
}

// linphone is a softphone that is driven by lines; its keys are SIP INFO.
type linphone struct {
	*program
	in io.Writer
}

func (s *site) openLinphone(port string, hertz float64) *linphone {
	s.t.Helper()
	p, in := s.runProgram("linphonec", func(dir string) []string {
		config := strings.Join([]string{
			"[sip]", "sip_port=" + port, "sip_tcp_port=0", "sip_tls_port=0", "use_info=1", "use_rfc2833=0",
			"[rtp]", "audio_rtp_port=" + portOf(freePort(s.t)), "[misc]", "log_collection=0",
		}, "\n") + "\n"
		voice(s.t, dir, hertz, 8000)
		require.NoError(s.t, os.WriteFile(filepath.Join(dir, "rc"), []byte(config), 0o600))
		// Without the folder of its database it does not even listen.
		require.NoError(s.t, os.MkdirAll(filepath.Join(dir, ".local/share/linphone"), 0o700))
		return []string{"-c", "rc", "-a"}
	}, true)
	l := &linphone{p, in}
	l.tell("soundcard use files")
	l.tell("play " + filepath.Join(l.dir, "voice.wav"))
	l.tell("record " + filepath.Join(l.dir, "heard.wav"))
	l.await("Using wav files")
	s.poll("linphone to listen", func() bool { return listens(":" + port) })
	return l
}

func (l *linphone) tell(line string) {
	l.s.t.Helper()
	_, err := io.WriteString(l.in, line+"\n")
	require.NoError(l.s.t, err)
}

func (l *linphone) dial(uri string)  { l.tell("call " + uri) }
func (l *linphone) press(key string) { l.tell(key) }
func (l *linphone) hangup()          { l.tell("terminate") }

func (l *linphone) heardBytes() int64 { return sizeOf(filepath.Join(l.dir, "heard.wav")) }

func (l *linphone) heard() []int16 {
	l.s.t.Helper()
	l.await(" ended (")
	return readVoice(l.s.t, filepath.Join(l.dir, "heard.wav"))
}

func sizeOf(file string) int64 {
	info, err := os.Stat(file)
	if err != nil {
		return 0
	}
	return info.Size()
}

// readVoice reads a file of 16-bit PCM without a look at its chunks: linphone
// writes one size wrong by four.
func readVoice(t *testing.T, file string) []int16 {
	t.Helper()
	const header = 44
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Greater(t, len(b), header, file)
	pcm := make([]int16, (len(b)-header)/2)
	_, err = binary.Decode(b[header:], binary.LittleEndian, pcm)
	require.NoError(t, err)
	rate := binary.LittleEndian.Uint32(b[24:])
	require.Contains(t, []uint32{8000, 16000}, rate, "samples a second")
	if rate == 8000 {
		return pcm
	}
	half := make([]int16, len(pcm)/2) // its tones are all below 4 kHz
	for i := range half {
		half[i] = pcm[2*i]
	}
	return half
}

// toneSeconds is for how long a tone is by far the loudest in a piece of audio
// at 8 kHz, counted in frames of 20 ms.
func toneSeconds(pcm []int16, hertz float64) float64 {
	const n = 160
	frames := 0
	for ; len(pcm) >= n; pcm = pcm[n:] {
		var re, im, energy float64
		for i, s := range pcm[:n] {
			v := float64(s)
			angle := 2 * math.Pi * hertz * float64(i) / 8000
			re, im, energy = re+v*math.Cos(angle), im+v*math.Sin(angle), energy+v*v
		}
		// A pure tone has all of the energy in its own bin.
		if energy > n*300*300 && (re*re+im*im)*2/n > 0.8*energy {
			frames++
		}
	}
	return float64(frames) / 50
}
